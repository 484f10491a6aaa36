/** `lockstep check`: observes targets and says what stands there, without writing. One failing target never hides others. */
import { type BindingState, bindingState } from "../../core/drift/state.ts";
import { toLockstepError } from "../../core/errors.ts";
import type { PlannedItem } from "../../core/reconcile/plan-change.ts";
import type { LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import type { CheckLimits, CheckObservation } from "../observe/observe-for-check.ts";
import { observeTogether } from "../observe/observe-together.ts";
import { acceptFromAuthority } from "../versions/accept-from-authority.ts";

export interface CheckedBinding {
  readonly bindingId: string;
  /** What should stand there was seen there once. */
  readonly isSettled: boolean;
  readonly target: string;
  readonly secret: string;
  readonly placement: string;
  readonly key: string;
  readonly state: BindingState;
  /** In words; null when in sync. */
  readonly reason: string | null;
}

export interface CheckedTarget {
  readonly target: string;
  /** Null when the place could be looked at. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly retryAfterMs: number | null;
  } | null;
  readonly bindings: readonly CheckedBinding[];
}

const UNHURRIED = { maxAtOnce: 8, timeoutMs: null, asksAgents: true };

export async function checkTargets(
  context: AppContext,
  targets: readonly TargetRecord[],
  signal: AbortSignal,
  limits: CheckLimits & { readonly maxAtOnce: number } = UNHURRIED,
): Promise<readonly CheckedTarget[]> {
  return await observeTogether(context, targets, limits, signal, async (target, observe) => {
    try {
      return await conclude(context, target, await observe());
    } catch (error) {
      return { target: target.name, error: shownError(error), bindings: [] };
    }
  });
}

/** What was seen is on record already; what it proves may stop everything else. */
async function conclude(
  context: AppContext,
  target: TargetRecord,
  { bindings, items, newer, fault }: CheckObservation,
): Promise<CheckedTarget> {
  if (fault === null && (await context.store.read.meta.setBack()) === null)
    for (const { binding, found } of newer) await acceptFromAuthority(context, { target, binding, found });
  const byId = new Map(bindings.map((binding) => [binding.id, binding]));
  return {
    target: target.name,
    error: fault === null ? null : shownError(fault),
    bindings: items.map((item) => checked(target, item, byId.get(item.bindingId))),
  };
}

function shownError(error: unknown): CheckedTarget["error"] {
  const { code, message, hint, retryAfterMs } = toLockstepError(error);
  return { code, message, hint, retryAfterMs: retryAfterMs ?? null };
}

function checked(
  record: TargetRecord,
  item: PlannedItem,
  binding: Pick<LoopBinding, "secretName" | "settled" | "settledInEpoch"> | undefined,
): CheckedBinding {
  const found = item.found.kind === "reference" ? "unknown" : item.found.kind;
  const foundVersion = item.found.kind === "version" ? item.found.version : null;
  const state = bindingState({
    wantedVersion: item.version,
    settledVersion: binding?.settled[item.slot] ?? null,
    found,
    foundVersion,
  });
  return {
    bindingId: item.bindingId,
    isSettled: (binding?.settled[item.slot] ?? null) === item.version && binding?.settledInEpoch === true,
    target: record.name,
    secret: binding?.secretName ?? "",
    placement: item.placement,
    key: item.key,
    state,
    reason: state === "in-sync" ? null : inWords(item),
  };
}

function inWords(item: PlannedItem): string {
  switch (item.found.kind) {
    case "version":
      return `holds v${item.found.version}, should hold v${item.version}`;
    case "unknown":
      return item.found.nearly === undefined
        ? "holds a value that Lockstep does not know"
        : `holds another value: ${item.found.nearly}`;
    case "absent":
      return "holds nothing";
    default:
      return item.found.reason;
  }
}
