import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { TokenRecord, TokenRepo } from "../../../core/store/tokens.ts";
import type { Database } from "../schema/schema.ts";

const PUBLIC_COLUMNS = [
  "id",
  "name",
  "scopes",
  "created_by",
  "created_at",
  "expires_at",
  "last_used_at",
  "revoked_at",
] as const;

export class PostgresTokenRepo implements TokenRepo {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async add(token: Parameters<TokenRepo["add"]>[0]): Promise<void> {
    const added = await this.#db
      .insertInto("api_token")
      .values({
        id: token.id,
        name: token.name,
        secret_hash: token.secretHash,
        scopes: token.scopes,
        created_by: token.createdBy,
        expires_at: token.expiresAt ?? null,
      })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .returning("id")
      .executeTakeFirst();
    if (added === undefined) {
      throw new LockstepError("ALREADY_EXISTS", "Cannot add the token: its id exists already.");
    }
  }

  async find(id: string): Promise<(TokenRecord & { readonly secretHash: string }) | null> {
    const row = await this.#db
      .selectFrom("api_token")
      .select(PUBLIC_COLUMNS)
      .select("secret_hash")
      .where("id", "=", id)
      .executeTakeFirst();
    return row === undefined ? null : { ...toRecord(row), secretHash: row.secret_hash };
  }

  async list(): Promise<readonly TokenRecord[]> {
    const rows = await this.#db
      .selectFrom("api_token")
      .select(PUBLIC_COLUMNS)
      .orderBy("created_at")
      .orderBy("id")
      .execute();
    return rows.map(toRecord);
  }

  async revoke(id: string): Promise<boolean> {
    const revoked = await this.#db
      .updateTable("api_token")
      .set({ revoked_at: sql<Date>`now()` })
      .where("id", "=", id)
      .where("revoked_at", "is", null)
      .returning("id")
      .executeTakeFirst();
    return revoked !== undefined;
  }

  async touch(id: string): Promise<void> {
    await this.#db
      .updateTable("api_token")
      .set({ last_used_at: sql<Date>`now()` })
      .where("id", "=", id)
      .where(sql<boolean>`(last_used_at is null or last_used_at < now() - interval '1 minute')`)
      .execute();
  }
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: string[];
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
}

function toRecord(row: TokenRow): TokenRecord {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
