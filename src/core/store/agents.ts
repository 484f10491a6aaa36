import type { Actor } from "../actor.ts";
import type { JsonObject } from "../json.ts";

export type AgentState = "pending" | "active" | "revoked" | "expired";

export interface AgentRecord {
  readonly id: string;
  readonly targetId: string;
  readonly target: string;
  readonly environment: string;
  readonly state: AgentState;
  readonly shortLived: boolean;
  /** Public JWKs, as in `protocol/agent/envelope.ts`. */
  readonly signKey: JsonObject;
  readonly encryptKey: JsonObject;
  readonly challengeHash: string | null;
  /** What it says of itself: version, hostname, platform, instance. */
  readonly facts: JsonObject;
  /** When its enrolment was begun. */
  readonly createdAt: Date;
  /** Of the request that began it, as the listener saw it; null: of an earlier release. */
  readonly enrolledFrom: string | null;
  /** Until when it may confirm; null: it has, or has ended. */
  readonly confirmUntil: Date | null;
  readonly activatedAt: Date | null;
  readonly endedAt: Date | null;
  readonly lastSeenAt: Date | null;
  /** Its requests are refused since, because its clock is off by so much; negative: behind. Null: they are not. */
  readonly clockAheadSeconds: number | null;
  readonly reportedEpoch: number | null;
  readonly reportedGeneration: number | null;
  readonly reportedAt: Date | null;
  /** Of its last report, as `app/targets/report-content.ts` keeps it. */
  readonly report: JsonObject;
}

export interface EnrolmentRecord {
  readonly id: string;
  readonly targetId: string;
  readonly target: string;
  readonly environment: string;
  readonly macKeySealed: string;
  readonly reusable: boolean;
  /** Whoever invited said that the target's active agent may be replaced. */
  readonly replaces: boolean;
  readonly actor: Actor;
  readonly createdAt: Date;
  /** Judged by the database's clock. */
  readonly expired: boolean;
  readonly usedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface NewAgent {
  readonly targetId: string;
  readonly enrolmentId: string;
  readonly shortLived: boolean;
  readonly signKey: JsonObject;
  readonly encryptKey: JsonObject;
  readonly challengeHash: string;
  readonly facts: JsonObject;
  readonly enrolledFrom: string | null;
  /** It may confirm for that long, and no longer than its code lives. */
  readonly livesMs: number;
}

export interface EndedAgent {
  readonly id: string;
  readonly targetId: string;
  readonly target: string;
}

export interface Delivered {
  readonly secretId: string;
  readonly secret: string;
  readonly version: number;
  readonly firstAt: Date;
}

export interface AgentClockRepo {
  /** Writes at most once in ten seconds per agent. */
  refusedForClock(agentId: string, aheadSeconds: number): Promise<void>;
}

export interface AgentRepo extends AgentClockRepo {
  /** Answers when the code ends, by the database's clock. */
  invite(enrolment: {
    readonly id: string;
    readonly targetId: string;
    readonly lookupHash: string;
    readonly macKeySealed: string;
    readonly reusable: boolean;
    readonly replaces: boolean;
    readonly actor: Actor;
    readonly livesMs: number;
  }): Promise<Date>;
  findEnrolment(lookupHash: string): Promise<EnrolmentRecord | null>;
  /** By whose code this agent came; null: its target is gone. */
  enrolmentOf(agentId: string): Promise<EnrolmentRecord | null>;
  /** The first agent that came by this code, in whatever state. */
  cameBy(enrolmentId: string): Promise<AgentRecord | null>;
  /** Other keys have shown the code too. False: that is known already. */
  contest(enrolmentId: string): Promise<boolean>;
  /** False when it was used, revoked or has expired meanwhile: a code that is not reusable serves one agent. */
  useEnrolment(enrolmentId: string): Promise<boolean>;
  /** Codes of this target that could still be used end; answers how many. */
  revokeEnrolments(targetId: string): Promise<number>;

  /**
   * Pending. The same keys by the same code again answer the agent that they made before, with the new challenge: an
   * answer got lost. Throws ALREADY_EXISTS when the signing key belongs to any other agent, or to one confirmed or ended.
   */
  add(agent: NewAgent): Promise<string>;
  /** By the public signing key, in whatever state. */
  findBySignKey(signKey: JsonObject): Promise<AgentRecord | null>;
  find(agentId: string): Promise<AgentRecord | null>;
  /** Active agents of these targets; short-lived ones included. */
  activeAt(targetIds: readonly string[]): Promise<readonly AgentRecord[]>;
  /** Begun and not confirmed, also where it is too late for that. */
  pendingAt(targetId: string): Promise<readonly AgentRecord[]>;
  /** Of these targets, the ids alone. */
  activeIdsAt(targetIds: readonly string[]): Promise<readonly string[]>;
  /** Of those that have ended the last two hundred. */
  list(filter: { readonly environment?: string }): Promise<readonly AgentRecord[]>;
  /** False when it has not begun, has ended, or its code has: by the database's clock, at this moment. */
  activate(agentId: string): Promise<boolean>;
  /** Answers the ids that ended now. */
  end(agentIds: readonly string[], state: "revoked" | "expired"): Promise<readonly string[]>;
  /** Ends those that did not confirm in time. */
  endLapsed(limit: number): Promise<readonly EndedAgent[]>;
  /** Ends active short-lived ones that were unseen for that long. */
  endIdle(idleMs: number, limit: number): Promise<readonly EndedAgent[]>;

  /** False when the id was accepted before. Forgets expired ids now and then. */
  rememberRequest(tokenId: string, expiresAt: Date): Promise<boolean>;
  /** Writes at most once in ten seconds per agent, unless the facts changed. */
  touch(agentId: string, facts: JsonObject | null): Promise<void>;
  /**
   * From now on the one report of this agent that is being taken, until it is released or the time is over. Null: another
   * one is. Answers what releases it.
   */
  claimReport(agentId: string, forMs: number): Promise<string | null>;
  /** Does nothing when the claim is another's meanwhile. */
  releaseReport(agentId: string, claim: string): Promise<void>;
  /** False when enough of what it says was put on record in this hour. */
  takeAuditTurn(agentId: string): Promise<boolean>;
  recordReport(
    agentId: string,
    report: { readonly epoch: number; readonly generation: number; readonly content: JsonObject },
  ): Promise<void>;

  /** Before they leave. Throws AGENT_REVOKED when the agent is not active any more. */
  recordDeliveries(
    agentId: string,
    delivered: readonly { readonly secretId: string; readonly version: number }[],
  ): Promise<void>;
  deliveries(agentId: string): Promise<readonly Delivered[]>;

  /** Null when there is none yet. */
  key(
    name: "bundle" | "agent-tls" | "take-over",
  ): Promise<{ readonly public: JsonObject; readonly privateSealed: string } | null>;
  /** Does nothing when there is one: read it again. */
  addKey(
    name: "bundle" | "agent-tls" | "take-over",
    key: { readonly public: JsonObject; readonly privateSealed: string },
  ): Promise<void>;
}
