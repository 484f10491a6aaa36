/** Operations for a store that was restored, or that found out that it was set back. */
import { z } from "zod";
import { MAX_REASON } from "./agent/epoch.ts";
import { operation } from "./api-operation.ts";
import { instant } from "./api-parts.ts";

export const setBackView = z.object({
  at: instant,
  /** Where the order was met that this store never gave. */
  target: z.string(),
  environment: z.string(),
  /** In a mark at the place, or in its agent's word. */
  by: z.enum(["mark", "report"]),
  /** In words: `generation 9 of epoch 1`. */
  seen: z.string(),
});
export type SetBackView = z.output<typeof setBackView>;

const place = z.object({
  secret: z.string(),
  /** Of the target. */
  environment: z.string(),
  target: z.string(),
  placement: z.string(),
  key: z.string(),
  current: z.int().nullable(),
  /** `unknown`: a value that no version here has. */
  stands: z.enum(["current", "older", "unknown", "absent", "unreadable"]),
  version: z.int().nullable(),
  reason: z.string().nullable(),
  /** Takes an unknown value over, once the epoch has begun; null where there is none, or its place sends none. */
  import: z.string().nullable(),
});
export type EpochPlace = z.output<typeof place>;

const epoch = z.object({
  epoch: z.int(),
  /** Null: the first. */
  begun: z.object({ at: instant, reason: z.string() }).nullable(),
  setBack: setBackView.nullable(),
  places: z.array(place),
});
export type EpochAnswer = z.output<typeof epoch>;

export const EPOCH_OPERATIONS = {
  lookAtEpoch: operation({
    method: "POST",
    path: "/epoch/look",
    summary: "Which epoch it is, whether the store was set back, and what stands at every place now.",
    permission: "target.check",
    answer: epoch,
  }),
  beginEpoch: operation({
    method: "POST",
    path: "/epoch/begin",
    summary:
      "This store counts from now on: places are visited again, what is known there is settled, what is not is left alone.",
    permission: "store.epoch",
    body: z.strictObject({ reason: z.string().min(1).max(MAX_REASON) }),
    answer: z.object({ epoch: z.int(), previous: z.int(), targets: z.int() }),
  }),
};
