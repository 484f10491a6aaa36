/** One request to a place in memory: takes its budget, fails as the place was told to, answers otherwise. */
import { LockstepError } from "../../../src/core/errors.ts";
import type { TargetContext } from "../../../src/core/ports/target-context.ts";
import { withDeadline } from "../../../src/lib/with-deadline.ts";
import type { MemoryFault } from "./place.ts";

export interface MemoryRequest {
  readonly name: string;
  readonly write: boolean;
  readonly timeoutMs: number;
  readonly fault: MemoryFault | undefined;
}

export async function request<T>(
  context: TargetContext,
  { name, write, timeoutMs, fault }: MemoryRequest,
  work: () => T,
  signal: AbortSignal,
): Promise<T> {
  await context.budget.take("memory", 1, write ? "push" : "background");
  const what = `Cannot ${name} at target "${context.targetName}"`;
  if (signal.aborted) throw new LockstepError("TARGET_UNREACHABLE", `${what}: the time for it is over.`);
  if (fault === undefined) return work();
  const noAnswer = () =>
    new LockstepError(write ? "TARGET_OUTCOME_UNKNOWN" : "TARGET_UNAVAILABLE", `${what}: no answer.`);
  switch (fault.kind) {
    case "refused":
      throw new LockstepError("TARGET_REFUSED", `${what}: it was refused.`);
    case "throttled":
      throw new LockstepError("TARGET_RATE_LIMITED", `${what}: too many requests.`, {
        retryAfterMs: fault.retryAfterMs,
      });
    case "silent":
      if (fault.applied) work();
      await withDeadline(signal, timeoutMs, ended);
      throw noAnswer();
    case "lost-answer":
      if (fault.applied) work();
      throw noAnswer();
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
