/**
 * What stands at the places of a configuration, in the words of a plan: place by place for secrets that have a value,
 * in groups of equal values for those that have none yet.
 */

import { extractValue } from "../../core/adoption/extract-value.ts";
import { type FoundPlace, groupPlaces } from "../../core/adoption/group-places.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { type DesiredBinding, type DesiredTarget, targetId } from "../../core/plan/desired-config.ts";
import { bindingId } from "../../core/plan/diff-config.ts";
import { type PlaceState, placeState } from "../../core/plan/place-state.ts";
import { touchedTargets } from "../../core/plan/touched-targets.ts";
import type { ObservedKey } from "../../core/ports/place.ts";
import { addressText } from "../../core/reconcile/plan-change.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { StoredBinding } from "../../core/store/config.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import { type OpenedVersion, openKnownVersions, renderKnown } from "../desired/known-values.ts";
import { kindOf } from "../targets/open-target.ts";
import { isAsked, type Look } from "./observe-places.ts";
import type { PlannedAdoption, PlannedPlace } from "./plan-view.ts";
import type { Prepared } from "./prepare.ts";

export async function judgePlaces(
  context: AppContext,
  prepared: Prepared,
  request: { readonly askNew?: boolean },
  looks: ReadonlyMap<string, Look>,
): Promise<{ readonly places: readonly PlannedPlace[]; readonly adoption: readonly PlannedAdoption[] }> {
  const { desired, stored } = prepared;
  const known = new Map(stored.bindings.map((binding) => [bindingId(binding), binding]));
  const touched = touchedTargets(desired, stored, prepared.differences);
  const isTouched = ({ targetEnvironment, target }: DesiredBinding): boolean =>
    touched.has(targetId(targetEnvironment, target));
  const secrets = new Map(stored.secrets.map((secret) => [`${secret.environment}/${secret.name}`, secret]));
  const bound = groupBy(desired.bindings, (binding) => `${binding.secretEnvironment}/${binding.secret}`);
  const targets = new Map(
    [...desired.targets, ...prepared.elsewhere].map((target) => [
      targetId(target.environment, target.name),
      { ...target, isAsked: isAsked(context, prepared, request, target) },
    ]),
  );
  const places: PlannedPlace[] = [];
  const adoption: PlannedAdoption[] = [];
  for (const { environment, name } of desired.secrets) {
    const secret = secrets.get(`${environment}/${name}`);
    const bindings = bound.get(`${environment}/${name}`) ?? [];
    const seen = bindings.map((binding) => ({
      binding,
      stored: known.get(bindingId(binding)),
      target: targets.get(targetId(binding.targetEnvironment, binding.target)),
      look: looks.get(targetId(binding.targetEnvironment, binding.target)),
    }));
    const currentVersion = secret?.currentVersion ?? null;
    if (secret === undefined || currentVersion === null) {
      const { states, view } = judgeUnadopted(context, seen);
      places.push(
        ...seen.map(({ binding }, index) =>
          viewPlace(binding, states[index] ?? CANNOT_TELL, null, isTouched(binding)),
        ),
      );
      const next = view.groups.length === 1 && view.unknown.length === 0 ? "" : ` --from TARGET`;
      if (view.groups.length > 0) {
        adoption.push({
          environment,
          secret: name,
          groups: view.groups.map(({ label, places: group }) => ({
            label,
            places: group.map(({ target, key, role }) => ({ target, key, role })),
          })),
          next: `lockstep import ${name}${next}`,
        });
      }
    } else {
      const versions = await openKnownVersions(context, context.store.read, secret.id);
      const isCompromised = versions.get(currentVersion)?.compromised === true;
      places.push(
        ...seen.map((item) =>
          viewPlace(
            item.binding,
            judgeAdopted(context, currentVersion, versions, item),
            currentVersion,
            !isCompromised && isTouched(item.binding),
          ),
        ),
      );
    }
  }
  return { places, adoption };
}

interface Seen {
  readonly binding: DesiredBinding;
  readonly stored: StoredBinding | undefined;
  readonly target: (Pick<DesiredTarget, "kind" | "config"> & { readonly isAsked: boolean }) | undefined;
  readonly look: Look | undefined;
}

const NOT_ASKED = "its destination was never applied, so that it was not asked";

const CANNOT_TELL: PlaceState = {
  state: "cannot-tell",
  code: "INTERNAL",
  reason: "the place was not looked at",
  hint: "Run it again.",
};

function judgeAdopted(
  context: AppContext,
  currentVersion: number,
  known: ReadonlyMap<number, OpenedVersion>,
  { binding, stored, target, look }: Seen,
): PlaceState {
  const failed = failureOf(look);
  if (failed !== null) return failed;
  const versions = renderKnown(known, binding);
  const unfit = unfitness(context, binding, versions.get(currentVersion), target);
  if (unfit !== null) return unfit;
  if (target?.isAsked === false) return { state: "not-asked" };
  // At another place than before nothing of what was settled counts.
  const unmoved = stored?.place === binding.place ? stored : undefined;
  const state = placeState(
    {
      currentVersion,
      versions,
      settledVersion: unmoved?.settledVersion ?? null,
      takeOver: unmoved?.takeOver ?? false,
      seen: seenAt(look, binding),
    },
    context.sameValue,
  );
  const isCompromised = known.get(currentVersion)?.compromised === true;
  return isCompromised && state.state === "would-set" ? notPushed(currentVersion) : state;
}

function notPushed(version: number): PlaceState {
  const {
    code,
    message: reason,
    hint,
  } = new LockstepError("VERSION_COMPROMISED", `v${version} is compromised, so nobody is given it.`);
  return { state: "cannot-hold", code, reason, hint };
}

/** What a push would be refused for: told before anything is applied. */
function unfitness(
  context: AppContext,
  binding: DesiredBinding,
  value: SecretValue | undefined,
  target: Seen["target"],
): PlaceState | null {
  if (value === undefined) {
    return {
      state: "cannot-hold",
      code: "VALUE_INVALID",
      reason: "the current version lacks a field that the template names",
      hint: "Set the secret with every field that its bindings' templates name.",
    };
  }
  if (target === undefined) return null;
  try {
    kindOf(context, target.kind).assertHoldable(target.config, binding, value);
    return null;
  } catch (error) {
    const { code, message: reason, hint } = toLockstepError(error);
    return { state: "cannot-hold", code, reason, hint };
  }
}

function judgeUnadopted(context: AppContext, seen: readonly Seen[]) {
  const found = seen.map(({ binding, target, look }): FoundPlace<DesiredPlace> => {
    const place: DesiredPlace = {
      target: binding.target,
      environment: binding.targetEnvironment,
      key: binding.key,
      placement: binding.placement,
      role: binding.role,
    };
    return {
      place,
      ...foundValue(
        seenAt(look, binding),
        binding.template,
        failureOf(look)?.reason ?? (target?.isAsked === false ? NOT_ASKED : null),
      ),
    };
  });
  const view = groupPlaces(found, context.sameValue);
  const labels = new Map(
    view.groups.flatMap(({ label, places }) => places.map((place) => [place, label] as const)),
  );
  const states = found.map(({ place }, index): PlaceState => {
    const item = seen[index];
    if (item?.target?.isAsked === false) return { state: "not-asked" };
    const failed = failureOf(item?.look);
    if (failed !== null) return failed;
    const label = labels.get(place);
    if (label !== undefined) return { state: "value", group: label };
    const observed = item === undefined ? undefined : seenAt(item.look, item.binding)?.observed;
    if (observed?.state === "absent") return observed;
    if (observed?.state === "reference") return { state: "reference" };
    return { state: "unreadable", reason: found[index]?.reason ?? "the place gave no answer for this key" };
  });
  return { states, view };
}

interface DesiredPlace {
  readonly target: string;
  readonly environment: string;
  readonly key: string;
  readonly placement: string;
  readonly role: DesiredBinding["role"];
}

export function foundValue(
  seen: ObservedKey | undefined,
  template: string | null,
  failure: string | null,
): Pick<FoundPlace, "value" | "reason" | "absence"> {
  if (failure !== null) return { value: null, reason: failure };
  const observed = seen?.observed;
  switch (observed?.state) {
    case "present": {
      const value = extractValue(observed.value, template);
      return { value, reason: value === null ? "what stands there does not fit the template" : null };
    }
    case "absent":
      return {
        value: null,
        reason: null,
        ...(observed.why === undefined ? {} : { absence: observed.why }),
      };
    case "unreadable":
      return { value: null, reason: observed.reason };
    case "reference":
      return { value: null, reason: "it refers to another variable" };
    case "recognised":
    case "unrecognised":
      return {
        value: null,
        reason:
          (observed.state === "unrecognised" ? observed.nearly : undefined) ??
          "its agent sends no value: it is compared as soon as the secret has one",
      };
    case undefined:
      return { value: null, reason: "the place gave no answer for this key" };
  }
}

function failureOf(look: Look | undefined): Extract<PlaceState, { readonly state: "cannot-tell" }> | null {
  if (look === undefined || look.error === null) return null;
  const { code, message, hint } = look.error;
  return { state: "cannot-tell", code, reason: message, hint };
}

function seenAt(look: Look | undefined, binding: DesiredBinding): ObservedKey | undefined {
  return look?.keys?.get(addressText(binding));
}

function viewPlace(
  binding: DesiredBinding,
  place: PlaceState,
  wantedVersion: number | null,
  isWritten: boolean,
): PlannedPlace {
  const {
    secretEnvironment: environment,
    secret,
    targetEnvironment,
    target,
    placement,
    key,
    role,
    path,
  } = binding;
  const overwritten = place.state === "would-set" || (place.state === "drifted" && isWritten);
  return {
    environment,
    secret,
    targetEnvironment,
    target,
    placement,
    key,
    role,
    wantedVersion,
    place,
    overwritten,
    path,
  };
}
