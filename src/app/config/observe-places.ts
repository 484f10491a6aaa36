/**
 * Looks at the places that a configuration names, without changing anything. Many at once, with a cap; a place that
 * does not answer becomes an answer itself ("cannot tell", and why) and hides no other.
 *
 * A credential is used towards its own address only: the stored one while the destination is the one that it was sealed
 * for, the given one where whoever may apply says so.
 */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { type DesiredTarget, targetId } from "../../core/plan/desired-config.ts";
import type { Address, ObservedKey, UserUnit } from "../../core/ports/place.ts";
import { addressText } from "../../core/reconcile/plan-change.ts";
import type { StoredTarget } from "../../core/store/config.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf, type Opening, openTarget } from "../targets/open-target.ts";
import { openStoredCredentials } from "../targets/stored-credentials.ts";
import type { Prepared } from "./prepare.ts";

const MAX_AT_ONCE = 8;
const LOOK_TIMEOUT_MS = 20_000;

export type Look =
  | {
      readonly at: PlaceToObserve;
      readonly keys: ReadonlyMap<string, ObservedKey>;
      /** Who takes keys from there and does not restart with it. Left out: nobody. */
      readonly users?: readonly UserUnit[];
      readonly error: null;
    }
  | { readonly at: PlaceToObserve; readonly keys: null; readonly error: LockstepError };

export interface PlaceToObserve extends Opening {
  readonly environment: string;
  readonly addresses: readonly Address[];
}

/** By `targetId`. */
export async function observePlaces(
  context: AppContext,
  asked: readonly PlaceToObserve[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Look>> {
  const looks = await mapLimited(asked, MAX_AT_ONCE, (at) => look(context, at, signal));
  return new Map(asked.map((at, index) => [targetId(at.environment, at.name), looks[index] ?? never()]));
}

async function look(context: AppContext, at: PlaceToObserve, signal: AbortSignal): Promise<Look> {
  try {
    const target = await openTarget(context, at, { purpose: "background" });
    try {
      const seen = await withDeadline(signal, LOOK_TIMEOUT_MS, (limited) =>
        target.observe(at.addresses, limited),
      );
      const users = (seen.users ?? []).filter(({ key }) => !seen.units.some((unit) => unit.key === key));
      return { at, keys: new Map(seen.keys.map((key) => [addressText(key), key])), users, error: null };
    } finally {
      await target.close();
    }
  } catch (error) {
    return { at, keys: null, error: toLockstepError(error) };
  }
}

/**
 * Only what was applied is asked: whoever proposes a configuration must not choose where the server, and a credential,
 * go. Of places that nobody dials it is known what they reported.
 */
export function isAsked(
  context: AppContext,
  { known }: Pick<Prepared, "known">,
  { askNew }: { readonly askNew?: boolean },
  { environment, name, kind }: Pick<DesiredTarget, "environment" | "name" | "kind">,
): boolean {
  const isDialled = kindOf(context, kind).delivery === "direct";
  return askNew === true || !isDialled || known.has(targetId(environment, name));
}

/** What `plan` looks at: the desired bindings' keys, with the credentials that may be used for them. */
export function looksOf(
  context: AppContext,
  prepared: Prepared,
  request: { readonly askNew?: boolean },
): readonly PlaceToObserve[] {
  const { desired, stored, elsewhere, credentials } = prepared;
  const known = new Map(
    [...stored.targets, ...elsewhere].map((target) => [targetId(target.environment, target.name), target]),
  );
  const bound = groupBy(desired.bindings, (binding) => targetId(binding.targetEnvironment, binding.target));
  const targets = [...desired.targets, ...elsewhere];
  return targets.flatMap((target): PlaceToObserve[] => {
    const id = targetId(target.environment, target.name);
    const addresses = (bound.get(id) ?? []).map(({ placement, key }) => ({ placement, key }));
    if (addresses.length === 0 || !isAsked(context, prepared, request, target)) return [];
    const given = credentials.get(id) ?? null;
    const before = known.get(id);
    const usable = async (): Promise<JsonObject | null> => {
      // Otherwise whoever proposes another reference would choose what is shown to the place that was applied.
      if (request.askNew === true && given !== null) return given;
      if (before === undefined || before.credentialsSealed === null) return null;
      return openUnmoved(context, before, target);
    };
    const { environment, name, kind, config } = target;
    const isOfStored = before !== undefined && (request.askNew !== true || given === null);
    const storedAt = isOfStored ? before.id : null;
    return [{ environment, name, kind, config, addresses, credentials: usable, storedAt }];
  });
}

async function openUnmoved(
  context: AppContext,
  stored: StoredTarget,
  target: Pick<DesiredTarget, "kind" | "config">,
): Promise<JsonObject | null> {
  const before = kindOf(context, stored.kind).destination(stored.config);
  if (stored.kind !== target.kind || before !== kindOf(context, target.kind).destination(target.config)) {
    throw new LockstepError("DESTINATION_CHANGED", "the stored credential belongs to another address");
  }
  return openStoredCredentials(context, kindOf(context, stored.kind), stored);
}

function never(): never {
  throw new Error("every asked place has an answer");
}
