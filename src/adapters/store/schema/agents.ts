/** Agents, how they enrolled, and what they were given. */
import type { Generated } from "kysely";
import type { Actor } from "../../../core/actor.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Jsonb, JsonbWithDefault } from "./columns.ts";

export interface StoreKeyTable {
  name: "bundle" | "agent-tls" | "take-over";
  public: Jsonb<JsonObject>;
  private_sealed: string;
  created_at: Generated<Date>;
}

export interface EnrolmentTable {
  id: Generated<string>;
  target_id: string;
  lookup_hash: string;
  mac_key_sealed: string;
  reusable: Generated<boolean>;
  actor: Jsonb<Actor>;
  created_at: Generated<Date>;
  expires_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
  replaces: Generated<boolean>;
  contested_at: Date | null;
}

export interface AgentTable {
  id: Generated<string>;
  target_id: string;
  enrolment_id: string;
  state: "pending" | "active" | "revoked" | "expired";
  short_lived: Generated<boolean>;
  sign_key: Jsonb<JsonObject>;
  encrypt_key: Jsonb<JsonObject>;
  challenge_hash: string | null;
  facts: JsonbWithDefault<JsonObject>;
  created_at: Generated<Date>;
  activated_at: Date | null;
  ended_at: Date | null;
  last_seen_at: Date | null;
  reported_epoch: number | null;
  reported_generation: number | null;
  reported_at: Date | null;
  report: JsonbWithDefault<JsonObject>;
  confirm_until: Date | null;
  enrolled_from: string | null;
  reporting: string | null;
  reporting_until: Date | null;
  told_since: Date | null;
  told: Generated<number>;
  clock_ahead_seconds: number | null;
  clock_refused_at: Date | null;
}

export interface AgentRequestTable {
  token_id: string;
  expires_at: Date;
}

export interface AgentDeliveryTable {
  agent_id: string;
  secret_id: string;
  version: number;
  first_at: Generated<Date>;
}
