/**
 * The tables as Kysely sees them: one interface per table of `migrations/`, column for column. Whoever adds a
 * migration changes this file in the same commit.
 *
 * Reads give `number` for bigint (checked: `pool.ts`), `Date` for timestamptz and parsed JSON for jsonb. Writes of
 * jsonb take text from `jsonb()`, because pg would send an array as a Postgres array.
 */
import type { ColumnType, Generated, GeneratedAlways } from "kysely";
import type { Actor } from "../../core/actor.ts";
import type { Evidence } from "../../core/evidence.ts";
import type { JsonObject } from "../../core/json.ts";
import type { CopiesSeen } from "../../core/ports/copies.ts";
import type { ValueTrouble } from "../../core/ports/value-store.ts";
import type { Role, Slot, VersionState } from "../../core/secret.ts";
import type {
  AgentDeliveryTable,
  AgentRequestTable,
  AgentTable,
  EnrolmentTable,
  StoreKeyTable,
} from "./schema-agents.ts";
import type { AlertTable, ChannelTable, DeliveryTable, SilenceTable } from "./schema-alerts.ts";
import type { ApiTokenTable, IdempotencyTable } from "./schema-api.ts";
import type { EpochEntryTable, GivenOrderTable, StoreMetaTable } from "./schema-epochs.ts";
import type { ManualPlaceTable, ManualRevealTable } from "./schema-manual.ts";
import type { Jsonb, JsonbWithDefault } from "./schema-parts.ts";
import type { RenewalTable } from "./schema-renewals.ts";
import type { RolloutGateTable, RolloutTable } from "./schema-rollouts.ts";
import type { ValueIntentTable, ValueWalkTable } from "./schema-values.ts";

export { jsonb } from "./schema-parts.ts";

/** The oldest schema this code works on. The newest it knows is the last file in `migrations/`. */
export const OLDEST_SCHEMA = 20;

type ListWithDefault = ColumnType<string[], readonly string[] | undefined, readonly string[]>;

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

export interface TargetTable {
  id: Generated<string>;
  environment_id: string;
  name: string;
  kind: string;
  config: Jsonb<JsonObject>;
  credentials_sealed: string | null;
  destination: string;
  generation: Generated<number>;
  settled_generation: Generated<number>;
  intent_actor: ColumnType<Actor | null, string | null, string | null>;
  lease_token: Generated<number>;
  lease_owner: string | null;
  lease_until: Date | null;
  attempts: Generated<number>;
  next_action_at: Date | null;
  in_flight_until: Date | null;
  in_flight_digest: string | null;
  gave_up_at: Date | null;
  error_code: string | null;
  error_message: string | null;
  look_asked_at: Date | null;
  checked_at: Date | null;
  next_check_at: Generated<Date>;
  check_error_code: string | null;
  check_error_message: string | null;
  copies: Jsonb<CopiesSeen> | null;
  tested_at: Date | null;
  test_failures: Jsonb<JsonObject[]> | null;
  exposures: Jsonb<JsonObject[]> | null;
  created_at: Generated<Date>;
  removed_at: Date | null;
}

export interface UnitTable {
  id: Generated<string>;
  key: string;
  name: string;
  kind: string;
  config: Jsonb<JsonObject>;
  follow_group: string;
  incarnation: Jsonb<JsonObject> | null;
  incarnation_seen_at: Date | null;
  created_at: Generated<Date>;
}

export interface TargetUnitTable {
  target_id: string;
  unit_id: string;
}

export interface BindingTable {
  id: Generated<string>;
  secret_id: string;
  target_id: string;
  placement: Generated<string>;
  key: string;
  fallback_key: string;
  role: Role;
  template: string | null;
  optional: Generated<boolean>;
  drift: Generated<"report" | "heal">;
  options: JsonbWithDefault<JsonObject>;
  take_over: Generated<boolean>;
  settled: JsonbWithDefault<{ readonly [slot in Slot]?: number | null }>;
  settled_digest: string | null;
  settled_at: Date | null;
  settled_epoch: Generated<number>;
  evidence: Evidence | null;
  evidence_at: Date | null;
  looked_at: Date | null;
  look_reason: string | null;
  lacks: Generated<boolean>;
  lives: Jsonb<JsonObject> | null;
  acceptance: JsonbWithDefault<JsonObject>;
  used: Jsonb<JsonObject> | null;
  used_by: Jsonb<JsonObject> | null;
  ran: Jsonb<JsonObject> | null;
  aside: Jsonb<JsonObject> | null;
  created_at: Generated<Date>;
  removed_at: Date | null;
}

export interface OwnershipTable {
  place: string;
  key: string;
  target_id: string;
  binding_id: string;
  placement: string;
  slot: Slot;
  written_generation: number | null;
  prune: Generated<boolean>;
}

export interface PushTable {
  id: Generated<string>;
  target_id: string;
  epoch: number;
  generation: number;
  attempt: number;
  lease_token: number;
  actor: Jsonb<Actor>;
  digest: string;
  outcome: Generated<"started" | "unknown" | "succeeded" | "unchanged" | "failed" | "superseded">;
  evidence: string | null;
  error_code: string | null;
  error_message: string | null;
  started_at: Generated<Date>;
  ended_at: Date | null;
}

export interface PushItemTable {
  push_id: string;
  ordinal: number;
  binding_id: string | null;
  secret_id: string | null;
  placement: string;
  key: string;
  slot: Slot;
  version: number | null;
  action: "set" | "unset" | "unchanged";
  replaced: string | null;
}

export interface ActivationTable {
  id: Generated<string>;
  unit_id: string;
  target_id: string;
  state: "owed" | "requested" | "succeeded" | "failed" | "blocked" | "dormant" | "superseded";
  digest: string;
  push_ids: ListWithDefault;
  attempts: Generated<number>;
  known_ids: ListWithDefault;
  external_id: string | null;
  requested_at: Date | null;
  deadline_at: Date | null;
  next_action_at: Generated<Date>;
  lease_owner: string | null;
  lease_until: Date | null;
  error_code: string | null;
  error_message: string | null;
  created_at: Generated<Date>;
  ended_at: Date | null;
}

export interface ObservationTable {
  id: GeneratedAlways<number>;
  binding_id: string;
  slot: Slot;
  push_id: string | null;
  found: "version" | "unknown" | "absent" | "unreadable";
  version: number | null;
  reason: string | null;
  observed_at: Generated<Date>;
}

export interface RateBudgetTable {
  key: string;
  limit_per_window: number;
  window_ms: number;
  remaining: number;
  window_ends_at: Date;
  blocked_until: Date | null;
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

export interface KeptCopyTable {
  target_id: string;
  placement: string;
  destination: string;
  kept_at: Generated<Date>;
  owed_at: Date | null;
  attempts: Generated<number>;
  next_attempt_at: Generated<Date>;
  error_message: string | null;
}

export interface Database {
  store_meta: StoreMetaTable;
  environment: EnvironmentTable;
  secret: SecretTable;
  secret_version: SecretVersionTable;
  target: TargetTable;
  unit: UnitTable;
  target_unit: TargetUnitTable;
  binding: BindingTable;
  ownership: OwnershipTable;
  given_order: GivenOrderTable;
  epoch_entry: EpochEntryTable;
  rollout: RolloutTable;
  rollout_gate: RolloutGateTable;
  push: PushTable;
  push_item: PushItemTable;
  activation: ActivationTable;
  observation: ObservationTable;
  rate_budget: RateBudgetTable;
  api_token: ApiTokenTable;
  idempotency: IdempotencyTable;
  store_key: StoreKeyTable;
  enrolment: EnrolmentTable;
  agent: AgentTable;
  agent_request: AgentRequestTable;
  agent_delivery: AgentDeliveryTable;
  audit_entry: AuditEntryTable;
  renewal: RenewalTable;
  alert: AlertTable;
  channel: ChannelTable;
  delivery: DeliveryTable;
  silence: SilenceTable;
  kept_copy: KeptCopyTable;
  value_intent: ValueIntentTable;
  value_walk: ValueWalkTable;
  manual_place: ManualPlaceTable;
  manual_reveal: ManualRevealTable;
}
