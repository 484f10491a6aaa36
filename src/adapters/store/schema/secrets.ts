/** Secrets, their versions, the values of these that are kept elsewhere, and the renewal of tokens. */
import type { Generated } from "kysely";
import type { Json, JsonObject } from "../../../core/json.ts";
import type { ValueTrouble } from "../../../core/ports/value-store.ts";
import type { VersionState } from "../../../core/secret.ts";
import type { Jsonb, JsonbWithDefault } from "./columns.ts";

export interface EnvironmentTable {
  id: Generated<string>;
  name: string;
  created_at: Generated<Date>;
}

export interface SecretTable {
  id: Generated<string>;
  environment_id: string;
  name: string;
  policy: JsonbWithDefault<JsonObject>;
  rotate_not_before: Date | null;
  created_at: Generated<Date>;
  removed_at: Date | null;
}

export interface SecretVersionTable {
  secret_id: string;
  version: number;
  state: VersionState;
  compromised_at: Date | null;
  expires_at: Date | null;
  value_sealed: string | null;
  value_name: string | null;
  value_created_time: string | null;
  value_looked_at: Date | null;
  value_trouble: ValueTrouble | null;
  fingerprint: string;
  created_by: string;
  created_at: Generated<Date>;
  state_changed_at: Generated<Date>;
}

export interface ValueIntentTable {
  secret_id: string;
  value_name: string;
  version: number;
  aim: "kept" | "removed";
  process: string;
  created_at: Generated<Date>;
  attempts: Generated<number>;
  next_attempt_at: Date;
  error_code: string | null;
}

export interface ValueWalkTable {
  only_one: Generated<boolean>;
  next_at: Generated<Date>;
  after_secret: Generated<string>;
  strangers: Generated<number>;
  counted: Generated<number>;
  away_since: Date | null;
  away_code: string | null;
  away_reason: string | null;
}

export interface RenewalTable {
  secret_id: string;
  made_version: number | null;
  made_at: Date | null;
  made_expires_at: Date | null;
  issue: Jsonb<Json> | null;
  origin: string | null;
  attempt: string | null;
  attempt_at: Date | null;
  single_use_secret: string | null;
  single_use_version: number | null;
  reusable: Generated<boolean>;
  rotates: Generated<boolean>;
  refusals: Generated<number>;
  lease_owner: string | null;
  lease_until: Date | null;
  asked_at: Date | null;
  not_before: Date | null;
  failures: Generated<number>;
  error_code: string | null;
  error_message: string | null;
  failed_at: Date | null;
  lost_at: Date | null;
}
