/** Operations for the first hour of an outage: what is wrong and why, and writing again what should stand there. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { instant, name } from "./api-parts.ts";
import { secretStatus } from "./api-views.ts";

const finding = z.object({
  /** Stable: may be added to, never renamed. */
  id: z.string(),
  /** `wrong` something differs or cannot be kept right; `cannot-tell`; `moving` by itself; `hint` nothing differs. */
  severity: z.enum(["wrong", "cannot-tell", "moving", "hint"]),
  /** Null: every secret of the target. */
  secret: z.string().nullable(),
  /** Null: every place of the secret, or Lockstep itself. */
  target: z.string().nullable(),
  key: z.string().nullable(),
  placement: z.string().nullable(),
  environment: z.string().nullable(),
  what: z.string(),
  cause: z.string(),
  /** Who is refused because of it, one sentence each. */
  consequence: z.array(z.string()),
  /** Repairs it; ready to paste into a POSIX shell. */
  command: z.string().nullable(),
});
export type FindingView = z.output<typeof finding>;

const diagnosis = z.object({
  /** Nothing is wrong, and everything could be seen. */
  ok: z.boolean(),
  checkedAt: instant,
  /** The places were asked now; otherwise only what is recorded was looked at. */
  live: z.boolean(),
  /** One line. */
  verdict: z.string(),
  secrets: z.array(secretStatus),
  findings: z.array(finding),
});
export type DoctorAnswer = z.output<typeof diagnosis>;

const discoveredPlace = z.object({
  /** The target whose credential reaches it. */
  reachedBy: z.string(),
  kind: z.string(),
  /** For people: `service worker`, `the shared scope`, a file's path. */
  name: z.string(),
  placement: z.string(),
  key: z.string(),
  /** Of whose value it holds a version, or whose key it bears. */
  secret: z.string().nullable(),
  environment: z.string(),
  /** `current` and `older`: a value of ours. `unknown`: another value under a managed key's name. */
  holds: z.enum(["current", "older", "unknown", "unreadable"]),
  version: z.int().nullable(),
  reason: z.string().nullable(),
  /** What lockstep.yaml would need: a target's entry without its credential, or a file of the target that reaches it. */
  add: z.object({
    config: z.record(z.string(), z.unknown()).readonly().nullable(),
    file: z.object({ path: z.string(), format: z.string(), configured: z.boolean() }).nullable(),
  }),
});
export type DiscoveredPlace = z.output<typeof discoveredPlace>;

const discovered = z.object({
  checkedAt: instant,
  /** Targets that were looked around from; others of the same scope reach the same. */
  looked: z.array(z.string()).readonly(),
  places: z.array(discoveredPlace).readonly(),
  unseen: z.array(z.object({ target: z.string(), name: z.string(), reason: z.string() })).readonly(),
});
export type DiscoverAnswer = z.output<typeof discovered>;

const healedPlace = z.object({
  environment: z.string(),
  target: z.string(),
  secret: z.string(),
  placement: z.string(),
  key: z.string(),
});
const healed = z.object({
  /** What is written again, or found right. */
  healing: z.array(healedPlace),
  /** Never ours: a person must allow it. */
  refused: z.array(healedPlace.extend({ reason: z.string() })),
});
export type HealAnswer = z.output<typeof healed>;

export const DOCTOR_OPERATIONS = {
  doctor: operation({
    method: "POST",
    path: "/doctor",
    summary: "Looks at every place and says what is wrong, why, who is refused, and what repairs it.",
    permission: "target.check",
    body: z.strictObject({
      environment: name.exactOptional(),
      /** False: only what is recorded. */
      live: z.boolean().default(true),
      /** For one place. */
      timeoutMs: z.int().min(100).max(60_000).default(1_500),
    }),
    answer: diagnosis,
  }),
  discover: operation({
    method: "POST",
    path: "/discover",
    summary:
      "Looks around within what the credentials reach, for places that hold a value of ours and are not managed.",
    permission: "target.check",
    body: z.strictObject({ environment: name.exactOptional() }),
    answer: discovered,
  }),
  heal: operation({
    method: "POST",
    path: "/heal",
    summary: "Writes again what should stand at places, over what stands there now, where the keys are ours.",
    permission: "target.heal",
    body: z.strictObject({
      environment: name.exactOptional(),
      target: name.exactOptional(),
      secret: name.exactOptional(),
    }),
    answer: healed,
  }),
};
