/** What a rollout is started with, as it is stored: waits in ms, and members that a person took out. No values. */
import { z } from "zod";
import type { JsonObject } from "../../core/json.ts";
import type { Waits } from "../../core/rollout/engine.ts";
import { durationMs } from "../../lib/duration.ts";
import type { LoopTiming } from "./context.ts";

const HOUR_MS = 3_600_000;

const waitMs = z.number().nonnegative();

const optionsSchema = z.object({
  settleForMs: waitMs.default(24 * HOUR_MS),
  quietForMs: waitMs.default(HOUR_MS),
  optionalForMs: waitMs.default(7 * 24 * HOUR_MS),
  /** How long after retirement the old value is kept for going back. */
  undoForMs: waitMs.default(7 * 24 * HOUR_MS),
  /** By binding: why a person took it out of the gates. */
  forced: z.record(z.string(), z.string()).default({}),
  /** It brings a value that was made for it, because somebody or the schedule wanted a new one. */
  rotates: z.boolean().default(false),
});
export type RolloutOptions = z.output<typeof optionsSchema>;

/** Of rollouts and of policies; what an older release stored has the defaults. */
export function optionsOf(stored: JsonObject): RolloutOptions {
  return optionsSchema.safeParse(stored).data ?? optionsSchema.parse({});
}

const policySchema = z.object({
  strategy: z.enum(["overlap", "swap", "issued", "replace"]).optional(),
  every: z.string().optional(),
  maxAge: z.string().optional(),
  window: z.string().optional(),
  settleFor: z.string().optional(),
  quietFor: z.string().optional(),
  undoFor: z.string().optional(),
  optionalFor: z.string().optional(),
});
export type RotatePolicy = z.output<typeof policySchema>;

/** `rotate:` of a secret's policy. */
export function rotatePolicyOf(policy: JsonObject): RotatePolicy {
  return policySchema.safeParse(policy["rotate"] ?? {}).data ?? {};
}

export function optionsFromPolicy({
  settleFor,
  quietFor,
  undoFor,
  optionalFor,
}: RotatePolicy): RolloutOptions {
  return optionsSchema.parse({
    settleForMs: durationMs(settleFor),
    quietForMs: durationMs(quietFor),
    undoForMs: durationMs(undoFor),
    optionalForMs: durationMs(optionalFor),
  });
}

export function waitsOf(options: RolloutOptions, timing: LoopTiming): Waits {
  const { settleForMs, quietForMs, optionalForMs } = options;
  const { lateAfterMs, relookMs, watchMs, settleWatchMs } = timing;
  return { settleForMs, quietForMs, optionalForMs, lateAfterMs, relookMs, watchMs, settleWatchMs };
}
