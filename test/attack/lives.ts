/**
 * Two lives of one store: copies of its database, taken at a moment, each with a worker of its own, over the same real
 * places. What a restored backup, a standby that lost commits and a forgotten second server have in common.
 */
import { randomBytes } from "node:crypto";
import type pg from "pg";
import { createPool } from "../../src/adapters/store/pool.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { watchFindings } from "../../src/app/alerts/watch-findings.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { checkTargets } from "../../src/app/drift/check-targets.ts";
import { credentialsAssociatedData } from "../../src/core/associated-data.ts";
import type { TargetKind } from "../../src/core/ports/target-kind.ts";
import type { TestDatabase } from "../support/database.ts";
import { SILENT, withAdmin } from "../support/database-clusters.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

export const never = new AbortController().signal;

export interface Life {
  readonly context: AppContext;
  readonly pool: pg.Pool;
  /** Until nothing is owed, or nothing moves any more. */
  rest(): Promise<void>;
  /** A look at every place, as the schedule does it. */
  look(): Promise<void>;
  rows<T>(query: string): Promise<readonly T[]>;
}

export interface PlaceOf {
  readonly kind: TargetKind;
  readonly raw: Readonly<Record<string, unknown>>;
  /** The file; left out where the place is flat. */
  readonly file?: string;
}

export class Lives {
  readonly kit: LoopKit;
  readonly first: Life;
  readonly #database: TestDatabase;
  readonly #kinds: ReadonlyMap<string, TargetKind>;
  readonly #undo: (() => Promise<void>)[] = [];

  constructor(database: TestDatabase, kinds: readonly TargetKind[]) {
    this.#database = database;
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]));
    this.kit = createLoopKit(database);
    this.first = this.lifeOn(database.store, database.pool);
  }

  /** An empty store that knows who it is, with one secret. */
  async begin(): Promise<void> {
    await this.kit.reset();
    await this.#database.pool.query(
      "truncate store_meta, epoch_entry, given_order, alert, store_key cascade",
    );
    const { storeId, sealer } = this.kit.context;
    // Under the key that everything else is sealed under: the store takes nothing under another.
    const sealed = await sealer.seal("the store's own", "store");
    await this.#database.store.transaction((tx) =>
      tx.meta.create({ storeId, keyCheck: sealed, fingerprintKeySealed: sealed }),
    );
    await this.kit.secret("AUTH");
  }

  async end(): Promise<void> {
    for (const step of this.#undo.splice(0).reverse()) await step();
  }

  lifeOn(store: AppContext["store"], pool: pg.Pool): Life {
    const context = this.kit.other({ store, targetKinds: this.#kinds, revisionMarker: true });
    const rows = async <T>(query: string) => (await pool.query(query)).rows as T[];
    return {
      context,
      pool,
      rows,
      rest: async () => {
        for (let round = 0; round < 40; round += 1) {
          await pool.query("update target set in_flight_until = now() where in_flight_until is not null");
          await pool.query(
            "update target set next_action_at = now(), lease_until = null where generation <> settled_generation",
          );
          await pool.query(
            "update activation set next_action_at = now(), lease_until = null where state in ('owed', 'requested')",
          );
          await this.kit.drain(context);
          const owed = await rows(
            "select id from target where generation <> settled_generation and gave_up_at is null union all select id from activation where state in ('owed', 'requested')",
          );
          if (owed.length === 0 || (await context.store.read.meta.setBack()) !== null) return;
        }
        const stuck = await rows("select name, error_code, error_message from target");
        throw new Error(`the loop does not come to rest: ${JSON.stringify(stuck)}`);
      },
      look: async () => {
        const ids = (await rows<{ id: string }>("select id from target")).map(({ id }) => id);
        await checkTargets(context, await context.store.read.targets.findAll(ids), never);
        await watchFindings(context);
      },
    };
  }

  /** Another life of the same store, from what it is now. */
  async copy(): Promise<Life> {
    const { database: from = "" } = this.#database.connection;
    const name = `test_${randomBytes(6).toString("hex")}`;
    await withAdmin(this.#database.connection, async (client) => {
      // A database that somebody is connected to cannot be copied; pools connect again by themselves.
      await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
        [from],
      );
      await client.query(`create database ${name} template ${from}`);
    });
    const pool = createPool({ ...this.#database.connection, database: name }, SILENT, { maxConnections: 5 });
    this.#undo.push(async () => {
      await pool.end();
      await withAdmin(this.#database.connection, (client) =>
        client.query(`drop database ${name} with (force)`),
      );
    });
    return this.lifeOn(createStore(pool), pool);
  }

  /** A target at a real place, with AUTH bound there. Answers the target's id. */
  async place(name: string, { kind, raw, file }: PlaceOf, secret = "AUTH"): Promise<string> {
    const { pool } = this.#database;
    await this.kit.target(name);
    const [id = ""] = await this.kit.targetIds(name);
    const { config, credentials } = kind.parse(raw);
    const destination = kind.destination(config);
    const sealed =
      credentials === null
        ? null
        : await this.kit.context.sealer.seal(
            JSON.stringify(credentials),
            credentialsAssociatedData(id, destination),
          );
    await pool.query(
      "update target set kind = $2, config = $3, credentials_sealed = $4, destination = $5 where id = $1",
      [id, kind.kind, JSON.stringify(config), sealed, destination],
    );
    const placement = kind.resolvePlacement(config, file);
    const binding = await this.kit.bind(secret, name);
    await pool.query("update binding set placement = $2 where id = $1", [binding, placement]);
    await pool.query("update ownership set placement = $2 where binding_id = $1", [binding, placement]);
    return id;
  }
}
