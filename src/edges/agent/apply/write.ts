/** Writes what a plan says, file by file: one that refuses does not keep the others back. Repeating it is harmless. */
import { applyToFiles } from "../../../adapters/placements/placement.ts";
import { type LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { Order } from "../../../core/order.ts";
import type { PlannedItem } from "../../../core/reconcile/plan-change.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import { groupBy } from "../../../lib/group-by.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";
import { isWrite } from "./look.ts";

export interface Written {
  /** Something is, or may be, different now. */
  readonly changed: boolean;
  readonly failures: readonly LockstepError[];
}

export async function writeFiles(
  { host }: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  items: readonly PlannedItem[],
  signal: AbortSignal,
): Promise<Written> {
  const { storeId, epoch, generation, orderDigest: digest } = bundle;
  const order: Order = { storeId, epoch, generation, digest };
  const failures: LockstepError[] = [];
  let changed = false;
  const inFiles = items.filter((item) => item.placement !== "" && isWrite(item));
  for (const [, here] of groupBy(inFiles, (item) => item.placement)) {
    const change = {
      set: here.flatMap(({ placement, key, value }) => (value === null ? [] : [{ placement, key, value }])),
      unset: here.flatMap(({ placement, key, value }) => (value === null ? [{ placement, key }] : [])),
    };
    try {
      const { outcome } = await applyToFiles(host, allowed.files, change, order, signal);
      if (outcome === "changed") changed = true;
    } catch (error) {
      const failure = toLockstepError(error);
      if (failure.verdict === "read-back") changed = true;
      failures.push(failure);
    }
  }
  return { changed, failures };
}

/** Everything that the child shall have, whatever it has now. */
export function childEnvironmentOf(
  bundle: Bundle,
  allowed: Allowed,
  toSecret: (value: string) => SecretValue,
): ReadonlyMap<string, SecretValue> {
  return new Map(
    bundle.slots
      .filter((slot) => slot.placement === "" && allowed.whyNot(slot) === null)
      .map(({ key, value }) => [key, toSecret(value)]),
  );
}
