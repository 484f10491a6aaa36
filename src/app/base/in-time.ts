/** A look at a place that must not take longer than a person waits, whether or not the place heeds the signal. */
import { LockstepError } from "../../core/errors.ts";
import { withDeadline } from "../../lib/with-deadline.ts";

/** Throws TARGET_UNREACHABLE when the time is over; what comes later is dropped. */
export function inTime<T>(
  target: string,
  signal: AbortSignal,
  timeoutMs: number,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(signal, timeoutMs, (limited) => {
    const tooLate = new Promise<never>((_, reject) => {
      const give = (): void =>
        reject(
          new LockstepError(
            "TARGET_UNREACHABLE",
            `Target "${target}" gave no answer within ${timeoutMs / 1000} s.`,
            { hint: "Check address and network, or give it longer with --timeout 10s." },
          ),
        );
      limited.addEventListener("abort", give, { once: true });
    });
    return Promise.race([work(limited), tooLate]);
  });
}
