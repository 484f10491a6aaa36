/** The store itself, what was given under which order, and the epochs that a person began. */
import type { Generated } from "kysely";
import type { JsonObject } from "../../core/json.ts";
import type { SeenBy } from "../../core/set-back.ts";
import type { Jsonb } from "./schema-parts.ts";

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

export interface GivenOrderTable {
  digest: string;
  target_id: string;
  epoch: number;
  generation: number;
  given_at: Generated<Date>;
}

export interface EpochEntryTable {
  epoch: number;
  signed: string;
  reason: string;
  actor: Jsonb<JsonObject>;
  begun_at: Generated<Date>;
}
