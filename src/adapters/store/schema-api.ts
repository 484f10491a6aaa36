/** Tables of the API: who may call it, and what was answered already. */
import type { ColumnType, Generated } from "kysely";

export interface ApiTokenTable {
  id: string;
  name: string;
  secret_hash: string;
  scopes: ColumnType<string[], readonly string[], readonly string[]>;
  created_by: string;
  created_at: Generated<Date>;
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
}

export interface IdempotencyTable {
  token_id: string;
  key: string;
  request_hmac: string;
  status: number | null;
  response: ColumnType<unknown, string | null | undefined, string | null>;
  created_at: Generated<Date>;
}
