/** The table of renewals; see `schema.ts`, whose part this is. */
import type { Generated } from "kysely";
import type { Json } from "../../core/json.ts";
import type { Jsonb } from "./schema-parts.ts";

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
