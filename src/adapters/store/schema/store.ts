/** The store itself: its identity and epochs, who may call its API, what was answered already, and the record. */
import type { ColumnType, Generated } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { SeenBy } from "../../../core/set-back.ts";
import type { Jsonb, JsonbWithDefault } from "./columns.ts";

export interface StoreMetaTable {
  only_row: Generated<boolean>;
  store_id: string;
  epoch: Generated<number>;
  key_check: string;
  fingerprint_key_sealed: string;
  recovery_key_id: string | null;
  recovery_checked_at: Date | null;
  set_back_at: Date | null;
  set_back_target: string | null;
  set_back_seen: string | null;
  set_back_by: SeenBy | null;
  sealing_key_id: string;
  created_at: Generated<Date>;
}

export interface EpochEntryTable {
  epoch: number;
  signed: string;
  reason: string;
  actor: Jsonb<JsonObject>;
  begun_at: Generated<Date>;
}

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

export interface AuditEntryTable {
  id: Generated<string>;
  at: Generated<Date>;
  action: string;
  actor: Jsonb<Actor>;
  subject_kind: string;
  subject_id: string;
  subject_name: string;
  details: JsonbWithDefault<JsonObject>;
}

export interface RetentionWalkTable {
  kind: string;
  next_at: Generated<Date>;
  after_at: Date | null;
}

export interface StoreSizeTable {
  day: Date;
  bytes: number;
}
