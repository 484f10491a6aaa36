/** Lockstep with shorter waits than by default, so that many rotations fit into a bench; told with the figures. */
import { DEFAULT_TIMING, type LoopTiming } from "../../../src/app/base/context.ts";

export const BENCH_TIMING: LoopTiming = {
  ...DEFAULT_TIMING,
  sweepMs: 250,
  quietMs: 100,
  maxQuietMs: 500,
  minPollMs: 200,
  maxPollMs: 500,
  retryFailedActivationMs: 1_000,
  leaseMs: 5_000,
  relookMs: 300,
  watchMs: 1_000,
  settleWatchMs: 1_000,
};
