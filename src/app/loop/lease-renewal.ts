/** Keeps a lease alive while work goes on; aborts the work when the lease was lost. */
import { LockstepError } from "../../core/errors.ts";
import type { Lease } from "../../core/ports/store/targets.ts";
import type { AppContext } from "../context.ts";

export async function withLeaseRenewal<T>(
  context: AppContext,
  lease: Lease,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const { leaseMs } = context.timing;
  const timer = setInterval(() => {
    context.store
      .transaction((tx) => tx.targets.renewLease(lease.target.id, lease.token, leaseMs))
      .then((renewed) => {
        if (!renewed)
          lost.abort(new LockstepError("LEASE_LOST", `The lease of ${lease.target.name} was lost.`));
      })
      // The store is away: the lease runs out by itself, and recording under it will be refused.
      .catch(() => undefined);
  }, leaseMs / 3);
  timer.unref();
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(timer);
  }
}
