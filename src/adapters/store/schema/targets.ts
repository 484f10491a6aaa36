/** Targets, what is bound at them, who owns which key there, and what restarts there. */
import type { ColumnType, Generated } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { Evidence } from "../../../core/evidence.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { CopiesSeen } from "../../../core/ports/copies.ts";
import type { Role, Slot } from "../../../core/secret.ts";
import type { Jsonb, JsonbWithDefault } from "./columns.ts";

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
  /** Kept by a trigger. */
  owed_since: Generated<Date | null>;
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

export interface ManualPlaceTable {
  target_id: string;
  placement: string;
  key: string;
  version: number;
  confirmed_by: Jsonb<Actor>;
  confirmed_at: Generated<Date>;
}

export interface ManualRevealTable {
  target_id: string;
  generation: number;
  key: string;
  actor: Jsonb<Actor>;
  revealed_at: Generated<Date>;
}
