import { startStopwatch } from "./stopwatch.ts";

/** By signal: how long is left. */
const leftOf = new WeakMap<AbortSignal, () => number>();

/**
 * Gives `work` a signal that aborts with the caller's, or after `timeoutMs`. Written by hand: on Node 20,
 * `AbortSignal.any` over `AbortSignal.timeout` can be collected as garbage and then never fires.
 */
export async function withDeadline<T>(
  signal: AbortSignal,
  timeoutMs: number,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(abort, timeoutMs);
  const sinceMs = startStopwatch();
  const outer = leftOf.get(signal);
  leftOf.set(controller.signal, () => Math.min(timeoutMs - sinceMs(), outer?.() ?? Number.POSITIVE_INFINITY));
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Whether the time of a signal of `withDeadline` is over, by the clocks. To be asked right before what cannot be taken
 * back: in a process that was stopped and goes on, what waited for an answer may run before the timer does.
 */
export function isOver(signal: AbortSignal): boolean {
  return signal.aborted || (leftOf.get(signal)?.() ?? 1) <= 0;
}
