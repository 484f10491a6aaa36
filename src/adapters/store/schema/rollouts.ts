/** Rollouts and their gates. */
import type { ColumnType, Generated } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Jsonb, JsonbWithDefault } from "./columns.ts";

export interface RolloutTable {
  id: Generated<string>;
  secret_id: string;
  from_version: number | null;
  to_version: number;
  strategy: "overlap" | "swap" | "issued" | "replace";
  phase: string;
  state: "running" | "stalled" | "done" | "failed" | "abandoned";
  engine_version: number;
  reason: string | null;
  options: JsonbWithDefault<JsonObject>;
  actor: Jsonb<Actor>;
  next_action_at: ColumnType<Date | null, Date | null | undefined, Date | null>;
  started_at: Generated<Date>;
  phase_started_at: Generated<Date>;
  ended_at: Date | null;
  held: Generated<boolean>;
  fresh_from: Date | null;
  urgent: Generated<boolean>;
  rollback_of: string | null;
}

export interface RolloutGateTable {
  rollout_id: string;
  binding_id: string;
  phase: string;
  required: string;
  met_at: Date | null;
  evidence: string | null;
  reason: string | null;
}
