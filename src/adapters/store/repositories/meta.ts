import { type Kysely, type Selectable, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { SetBack } from "../../../core/set-back.ts";
import type { EpochEntry, MetaRepo, StoreMeta } from "../../../core/store/meta.ts";
import type { Database } from "../schema/schema.ts";
import type { StoreMetaTable } from "../schema/store.ts";
import { ms } from "./instants.ts";
import { keyIdIn, SEALED_COLUMNS } from "./sealed-texts.ts";
import { assertMayMove, EPOCH, noMeta, setBackOf } from "./standing.ts";

export class PostgresMetaRepo implements MetaRepo {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async storeNow(): Promise<number> {
    const { rows } = await sql<{ at: number }>`select ${ms(sql`clock_timestamp()`)} as at`.execute(this.#db);
    return rows[0]?.at ?? 0;
  }

  async read(): Promise<StoreMeta | null> {
    return metaOf(await this.#db.selectFrom("store_meta").selectAll().executeTakeFirst());
  }

  async lock(): Promise<StoreMeta | null> {
    return metaOf(await this.#db.selectFrom("store_meta").selectAll().forUpdate().executeTakeFirst());
  }

  async switchSealingKey(to: string, from: string): Promise<boolean> {
    const row = await this.#db
      .updateTable("store_meta")
      .set({ sealing_key_id: to })
      .where("sealing_key_id", "=", from)
      .returning("store_id")
      .executeTakeFirst();
    return row !== undefined;
  }

  async create(meta: Omit<StoreMeta, "epoch" | "recoveryCopy" | "sealingKeyId">): Promise<void> {
    // `do nothing` instead of a caught violation, which would abort the caller's transaction.
    const created = await this.#db
      .insertInto("store_meta")
      .values({
        store_id: meta.storeId,
        key_check: meta.keyCheck,
        fingerprint_key_sealed: meta.fingerprintKeySealed,
        sealing_key_id: keyIdIn(sql.val(meta.keyCheck)),
      })
      .onConflict((conflict) => conflict.column("only_row").doNothing())
      .returning("store_id")
      .executeTakeFirst();
    if (created === undefined) {
      throw new LockstepError("ALREADY_EXISTS", "Cannot set up the store: it has been set up before.", {
        hint: "Start with the key that this store was made with (LOCKSTEP_ROOT_KEY_FILE, or LOCKSTEP_KEY_RING=vault-transit).",
      });
    }
  }

  async holdsSealedData(): Promise<boolean> {
    const filled = SEALED_COLUMNS.map(
      ({ table, column }) =>
        sql`exists (select from ${sql.table(table)} where ${sql.ref(column)} is not null)`,
    );
    const row = await this.#db
      .selectNoFrom(sql<boolean>`${sql.join(filled, sql` or `)}`.as("holds"))
      .executeTakeFirstOrThrow();
    return row.holds;
  }

  async replaceFingerprintKey(sealed: string): Promise<void> {
    await this.#db.updateTable("store_meta").set({ fingerprint_key_sealed: sealed }).execute();
  }

  async replaceKeyCheck(sealed: string): Promise<void> {
    await this.#db.updateTable("store_meta").set({ key_check: sealed }).execute();
  }

  async epoch(): Promise<number> {
    const { rows } = await sql<{ epoch: number }>`select ${EPOCH} as epoch`.execute(this.#db);
    return rows[0]?.epoch ?? 1;
  }

  setBack(): Promise<SetBack | null> {
    return setBackOf(this.#db);
  }

  async freeze({ targetId, seen, by }: Parameters<MetaRepo["freeze"]>[0]): Promise<boolean> {
    const { numAffectedRows } = await sql`
      update store_meta set set_back_at = now(), set_back_target = ${targetId}, set_back_seen = ${seen},
        set_back_by = ${by}
      where set_back_at is null`.execute(this.#db);
    return numAffectedRows === 1n;
  }

  assertMayMove(): Promise<void> {
    return assertMayMove(this.#db);
  }

  async lockEpoch(): Promise<number> {
    const { rows } = await sql<{ epoch: number }>`select epoch from store_meta for update`.execute(this.#db);
    const [row] = rows;
    if (row === undefined) throw noMeta();
    return row.epoch;
  }

  async beginEpoch({ epoch, signed, reason, actor }: EpochEntry): Promise<void> {
    await sql`
      update store_meta set epoch = ${epoch}, set_back_at = null, set_back_target = null, set_back_seen = null,
        set_back_by = null`.execute(this.#db);
    await sql`
      insert into epoch_entry (epoch, signed, reason, actor)
      values (${epoch}, ${signed}, ${reason}, ${JSON.stringify(actor)}::jsonb)`.execute(this.#db);
  }

  async epochEntries(after: number): ReturnType<MetaRepo["epochEntries"]> {
    const { rows } = await sql<EpochEntry & { readonly begunAt: Date }>`
      select epoch, signed, reason, actor, begun_at as "begunAt" from epoch_entry
      where epoch > ${after} order by epoch`.execute(this.#db);
    return rows;
  }

  async recordRecoveryCopy(keyId: string): Promise<void> {
    await this.#db
      .updateTable("store_meta")
      .set({ recovery_key_id: keyId, recovery_checked_at: sql<Date>`now()` })
      .execute();
  }
}

function metaOf(row: Selectable<StoreMetaTable> | undefined): StoreMeta | null {
  if (row === undefined) return null;
  return {
    storeId: row.store_id,
    epoch: row.epoch,
    keyCheck: row.key_check,
    fingerprintKeySealed: row.fingerprint_key_sealed,
    sealingKeyId: row.sealing_key_id,
    recoveryCopy:
      row.recovery_key_id === null || row.recovery_checked_at === null
        ? null
        : { keyId: row.recovery_key_id, checkedAt: row.recovery_checked_at },
  };
}
