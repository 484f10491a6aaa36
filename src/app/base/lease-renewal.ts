/** Keeps a lease alive while work goes on; aborts the work when the lease was lost. */
import { LockstepError } from "../../core/errors.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { AppContext } from "./context.ts";

export interface HeldLease {
  /** For the error of the work that is aborted. */
  readonly name: string;
  /** False when somebody else has it now. */
  renew(leaseMs: number): Promise<boolean>;
}

/** The claims on activations that are worked at together. */
export function heldClaim(context: AppContext, activations: readonly ActivationRecord[]): HeldLease {
  return {
    name: activations[0]?.unit.name ?? "a unit",
    renew: (leaseMs) => context.store.transaction((tx) => tx.activations.renewClaims(activations, leaseMs)),
  };
}

export async function withLeaseRenewal<T>(
  context: AppContext,
  lease: HeldLease,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  const { leaseMs } = context.timing;
  const timer = setInterval(() => {
    lease
      .renew(leaseMs)
      .then((renewed) => {
        if (!renewed) lost.abort(new LockstepError("LEASE_LOST", `The lease of ${lease.name} was lost.`));
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
