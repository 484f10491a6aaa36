/** Alerts and the ways that they go. */
import type { Generated } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Jsonb } from "./columns.ts";

export interface AlertTable {
  id: Generated<string>;
  kind: string;
  subject_id: string;
  level: string;
  message: string;
  remedy: string;
  opened_at: Generated<Date>;
  updated_at: Generated<Date>;
  resolved_at: Date | null;
}

export interface ChannelTable {
  id: Generated<string>;
  name: string;
  kind: "slack" | "webhook" | "email";
  config: Jsonb<JsonObject>;
  destination: string;
  credentials_sealed: string | null;
  created_at: Generated<Date>;
  removed_at: Date | null;
}

export interface DeliveryTable {
  id: Generated<string>;
  channel_id: string;
  alert_id: string;
  event: "opened" | "changed" | "resolved";
  state: Generated<"pending" | "delivered" | "undeliverable">;
  attempts: Generated<number>;
  next_attempt_at: Generated<Date>;
  error_message: string | null;
  /** Who took these words, of several recipients. */
  reached: Generated<string[]>;
  created_at: Generated<Date>;
  ended_at: Date | null;
}

export interface SilenceTable {
  id: Generated<string>;
  kind: string | null;
  subject_id: string | null;
  until: Date;
  reason: string;
  actor: Jsonb<Actor>;
  created_at: Generated<Date>;
}
