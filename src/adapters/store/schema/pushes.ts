/** What was done at targets and what was seen there: writes, their order, restarts, observations. */
import type { Generated, GeneratedAlways } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { BindingState } from "../../../core/drift/state.ts";
import type { Slot } from "../../../core/secret.ts";
import type { Jsonb, ListWithDefault } from "./columns.ts";

export interface GivenOrderTable {
  digest: string;
  target_id: string;
  epoch: number;
  generation: number;
  given_at: Generated<Date>;
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
  binding_id: string;
  slot: Slot;
  id: GeneratedAlways<number>;
  push_id: string | null;
  found: "version" | "unknown" | "absent" | "unreadable";
  version: number | null;
  reason: string | null;
  first_seen_at: Date;
  observed_at: Generated<Date>;
}

export interface ObservationChangeTable {
  id: GeneratedAlways<number>;
  binding_id: string;
  slot: Slot;
  found: string;
  version: number | null;
  reason: string | null;
  push_id: string | null;
  seen_at: Date;
}

export interface JudgementTable {
  subject_id: string;
  kind: "secret" | "target" | "binding";
  secret_id: string | null;
  target_id: string | null;
  state: BindingState | null;
  state_since: Generated<Date>;
  noticed: boolean;
  judge_at: Date;
}

export interface JudgementOwedTable {
  id: GeneratedAlways<number>;
  kind: "secret" | "target" | "binding";
  subject_id: string;
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

export interface RateBudgetTable {
  key: string;
  limit_per_window: number;
  window_ms: number;
  remaining: number;
  window_ends_at: Date;
  blocked_until: Date | null;
}
