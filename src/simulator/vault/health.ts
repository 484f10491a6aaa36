/** What a server says of itself to anybody: `sys/health`, `sys/seal-status`, `sys/leader`. */
import type { VaultClock } from "./clock.ts";
import type { Features } from "./modes.ts";
import { type HttpAnswer, jsonAnswer, Refused } from "./wire/reply.ts";

export type NodeState =
  | "active"
  | "standby"
  | "dr-secondary"
  | "performance-standby"
  | "standby-without-active"
  | "removed"
  | "not-initialized"
  | "sealed";

const STATUS: Readonly<Record<NodeState, number>> = {
  active: 200,
  standby: 429,
  "dr-secondary": 472,
  "performance-standby": 473,
  "standby-without-active": 474,
  removed: 530,
  "not-initialized": 501,
  sealed: 503,
};

/** Parameters that replace a status. */
const OVERRIDES: Readonly<Record<number, string>> = {
  200: "activecode",
  429: "standbycode",
  472: "drsecondarycode",
  473: "performancestandbycode",
  501: "uninitcode",
  503: "sealedcode",
};

export interface HealthNeeds {
  readonly state: NodeState;
  readonly features: Features;
  readonly clock: VaultClock;
  readonly query: Readonly<Record<string, unknown>>;
  readonly namespace: string;
}

/** Null: another path. */
export function healthAnswer(path: string, needs: HealthNeeds): HttpAnswer | null {
  if (!["sys/health", "sys/seal-status", "sys/leader"].includes(path)) return null;
  const { state, features, clock, query } = needs;
  if (features.openbao && needs.namespace !== "")
    throw new Refused(400, "operation unavailable in namespaces");
  const sealed = state === "sealed" || state === "not-initialized";
  const isStandby = !sealed && state !== "active";
  if (path === "sys/leader") {
    if (sealed) throw new Refused(503, "Vault is sealed");
    return jsonAnswer(200, { ha_enabled: isStandby, is_self: !isStandby, leader_address: "" });
  }
  if (path === "sys/seal-status")
    return jsonAnswer(200, {
      type: "shamir",
      initialized: state !== "not-initialized",
      sealed,
      t: 1,
      n: 1,
      progress: 0,
      nonce: "",
      version: features.version,
    });
  const status = STATUS[effective(state, query, features)];
  const override = Number(query[OVERRIDES[status] ?? ""] ?? status);
  return jsonAnswer(override, {
    initialized: state !== "not-initialized",
    sealed,
    standby: isStandby,
    performance_standby: state === "performance-standby",
    replication_performance_mode: "disabled",
    replication_dr_mode: state === "dr-secondary" ? "secondary" : "disabled",
    server_time_utc: Math.floor(clock.now().getTime() / 1000),
    version: features.version,
    cluster_name: "vault-cluster-double",
    cluster_id: "00000000-0000-0000-0000-000000000000",
  });
}

function effective(state: NodeState, query: HealthNeeds["query"], features: Features): NodeState {
  const says = (name: string) => query[name] === "" || query[name] === "true" || query[name] === "1";
  if (state === "standby" && says("standbyok")) return "active";
  if (state === "performance-standby" && says("perfstandbyok")) return "active";
  // Only HashiCorp's newer servers tell these two from a plain standby.
  const isNew = features.mode === "vault-1.21";
  return !isNew && (state === "standby-without-active" || state === "removed") ? "standby" : state;
}
