/**
 * What a rollout was started with, as the store keeps it: waits in ms, and members that a person took out. No values.
 * What is not as this release writes it has the defaults.
 */
import { z } from "zod";
import type { JsonObject } from "../json.ts";

const HOUR_MS = 3_600_000;

export interface RolloutWaits {
  /** How long the old value stays accepted after the last known caller left. */
  readonly settleForMs: number;
  /** How long nobody must have used the old value. */
  readonly quietForMs: number;
  /** How long optional places hold the retirement. */
  readonly optionalForMs: number;
  /** How long after the retirement the old value is kept for going back. */
  readonly undoForMs: number;
}

export const DEFAULT_WAITS: RolloutWaits = {
  settleForMs: 24 * HOUR_MS,
  quietForMs: HOUR_MS,
  optionalForMs: 7 * 24 * HOUR_MS,
  undoForMs: 7 * 24 * HOUR_MS,
};

export interface RolloutOptions extends RolloutWaits {
  /** By binding: why a person took it out of the gates. */
  readonly forced: Readonly<Record<string, string>>;
  /** It brings a value that was made for it, because somebody or the schedule wanted a new one. */
  readonly rotates: boolean;
}

const waitMs = z.number().nonnegative();

const schema = z.object({
  settleForMs: waitMs.default(DEFAULT_WAITS.settleForMs),
  quietForMs: waitMs.default(DEFAULT_WAITS.quietForMs),
  optionalForMs: waitMs.default(DEFAULT_WAITS.optionalForMs),
  undoForMs: waitMs.default(DEFAULT_WAITS.undoForMs),
  forced: z.record(z.string(), z.string()).default({}),
  rotates: z.boolean().default(false),
});

export function newRolloutOptions({
  settleForMs,
  quietForMs,
  optionalForMs,
  undoForMs,
}: RolloutWaits): RolloutOptions {
  return { settleForMs, quietForMs, optionalForMs, undoForMs, forced: {}, rotates: false };
}

/** Never throws. */
export function rolloutOptionsOf(stored: JsonObject): RolloutOptions {
  return schema.safeParse(stored).data ?? newRolloutOptions(DEFAULT_WAITS);
}
