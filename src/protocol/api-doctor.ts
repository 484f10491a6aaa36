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
