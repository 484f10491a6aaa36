/** Operations that look: status, history, rollouts, targets, audit, check. */
import { z } from "zod";
import { setBackView } from "./api-epoch.ts";
import { operation } from "./api-operation.ts";
import {
  actor,
  bindingState,
  boundStatus,
  cursor,
  evidence,
  failure,
  id,
  instant,
  instantCursor,
  limit,
  name,
  next,
  role,
  rolloutState,
  strategy,
} from "./api-parts.ts";

const inEnvironment = z.strictObject({ environment: name.exactOptional() });

export const secretStatus = z.object({
  name: z.string(),
  environment: z.string(),
  current: z.int().nullable(),
  /** Since when that version is the current one. */
  currentSince: instant.nullable(),
  /** When it ends by itself; null: never. */
  expiresAt: instant.nullable(),
  bindings: z.array(boundStatus),
});
export type SecretStatus = z.output<typeof secretStatus>;

const status = z.object({
  secrets: z.array(secretStatus),
  next,
  /** Nothing is moved until a new epoch begins; null: it was not, as far as is known. */
  setBack: setBackView.nullable(),
});
export type StatusAnswer = z.output<typeof status>;

const push = z.object({
  id: z.string(),
  target: z.string(),
  generation: z.int(),
  attempt: z.int(),
  actor,
  startedAt: instant,
  endedAt: instant.nullable(),
  outcome: z.enum(["started", "unknown", "succeeded", "unchanged", "failed", "superseded"]),
  error: failure.nullable(),
  evidence: evidence.nullable(),
  items: z.array(
    z.object({
      secret: z.string().nullable(),
      key: z.string(),
      slot: z.enum(["primary", "fallback"]),
      version: z.int().nullable(),
      action: z.enum(["set", "unset", "unchanged"]),
      /** What stood there before: "v4", unknown, absent, unreadable. */
      replaced: z.string().nullable(),
    }),
  ),
});
const history = z.object({ pushes: z.array(push), next });
export type PushView = z.output<typeof push>;
export type HistoryAnswer = z.output<typeof history>;

export const rolloutSummary = z.object({
  rollout: z.string(),
  secret: z.string(),
  environment: z.string(),
  from: z.int().nullable(),
  to: z.int(),
  strategy,
  phase: z.string(),
  state: rolloutState,
  /** What holds it up, in words. */
  reason: z.string().nullable(),
  actor,
  startedAt: instant,
  endedAt: instant.nullable(),
});
export type RolloutSummary = z.output<typeof rolloutSummary>;

/** What one place holds of the two versions, and what is known of its use. */
const rolloutMember = z.object({
  target: z.string(),
  key: z.string(),
  role,
  optional: z.boolean(),
  primary: z.int().nullable(),
  fallback: z.int().nullable(),
  evidence: evidence.nullable(),
  lookedAt: instant.nullable(),
  /** Of verifiers, in words: "accepts v4 and v5". Null: nobody asks it. */
  acceptance: z.string().nullable(),
  /** Why it does not let the phase end, in words; null: it does. */
  waitsFor: z.string().nullable(),
  /** A person took it out of the gates. */
  forced: z.boolean(),
});
export type RolloutMember = z.output<typeof rolloutMember>;

export const rollout = rolloutSummary.extend({
  bindings: z.array(boundStatus),
  /** In order; what comes after `phase` is still to come. */
  phases: z.array(z.string()),
  phaseStartedAt: instant,
  /** No further caller moves: a verifier is not what it was. */
  held: z.boolean(),
  urgent: z.boolean(),
  rollbackOf: z.string().nullable(),
  /** While the old version settles: by which grade, and for how long still. */
  settling: z
    .object({ grade: z.enum(["observed", "inventory"]), leftMs: z.number(), why: z.string() })
    .nullable(),
  members: z.array(rolloutMember),
});
export type RolloutView = z.output<typeof rollout>;

const target = z.object({
  name: z.string(),
  environment: z.string(),
  kind: z.string(),
  bindings: z.int(),
  state: z.enum(["settled", "owed", "gave-up"]),
  error: failure.nullable(),
  nextActionAt: instant.nullable(),
  /** When it was looked at last without anything being owed, and when it is again; null: nobody does. */
  checkedAt: instant.nullable(),
  nextCheckAt: instant.nullable(),
});
export type TargetView = z.output<typeof target>;

const checked = z.object({
  targets: z.array(
    z.object({
      target: z.string(),
      environment: z.string(),
      error: failure.extend({ hint: z.string() }).nullable(),
      bindings: z.array(
        z.object({
          secret: z.string(),
          placement: z.string(),
          key: z.string(),
          state: bindingState,
          reason: z.string().nullable(),
        }),
      ),
    }),
  ),
});
export type CheckAnswer = z.output<typeof checked>;

export const VIEW_OPERATIONS = {
  getStatus: operation({
    method: "GET",
    path: "/status",
    summary: "Which version stands where, in which state, with which evidence, seen when.",
    permission: "status.read",
    // Without a limit everything, as one answer.
    query: inEnvironment.extend({ limit: limit.exactOptional(), after: cursor.exactOptional() }),
    answer: status,
  }),
  check: operation({
    method: "POST",
    path: "/check",
    summary: "Looks at the places now, without writing, and says what stands there.",
    permission: "target.check",
    body: z.strictObject({ environment: name.exactOptional(), target: name.exactOptional() }),
    answer: checked,
  }),
  listPushes: operation({
    method: "GET",
    path: "/history",
    summary: "The record of pushes, newest first.",
    permission: "history.read",
    query: z.strictObject({
      environment: name.exactOptional(),
      target: name.exactOptional(),
      secret: name.exactOptional(),
      limit: limit.default(20),
      after: instantCursor.exactOptional(),
    }),
    answer: history,
  }),
  listRollouts: operation({
    method: "GET",
    path: "/rollouts",
    summary: "Rollouts, newest first.",
    permission: "rollout.read",
    query: z.strictObject({
      environment: name.exactOptional(),
      secret: name.exactOptional(),
      open: z.stringbool().exactOptional(),
      limit: limit.default(20),
    }),
    answer: z.object({ rollouts: z.array(rolloutSummary) }),
  }),
  getRollout: operation({
    method: "GET",
    path: "/rollouts/:rollout",
    summary: "One rollout with its bindings.",
    permission: "rollout.read",
    params: z.strictObject({ rollout: id }),
    answer: rollout,
  }),
  listTargets: operation({
    method: "GET",
    path: "/targets",
    summary: "The places, and what they still owe.",
    permission: "status.read",
    query: inEnvironment,
    answer: z.object({ targets: z.array(target) }),
  }),
  listAudit: operation({
    method: "GET",
    path: "/audit",
    summary: "The audit entries, newest first.",
    permission: "audit.read",
    query: z.strictObject({
      subject: name.exactOptional(),
      before: z.iso.datetime().exactOptional(),
      limit: limit.default(50),
      after: instantCursor.exactOptional(),
    }),
    answer: z.object({
      entries: z.array(
        z.object({
          id: z.string(),
          at: instant,
          action: z.string(),
          actor,
          subject: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
          details: z.record(z.string(), z.json()),
        }),
      ),
      next,
    }),
  }),
};
