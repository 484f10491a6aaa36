/** Looks at the places of one stored secret and groups them by value: what `import` chooses from. Writes nothing. */
import {
  type AdoptionPlace,
  type AdoptionView,
  type FoundPlace,
  groupPlaces,
  refuseUnadopted,
} from "../../core/adoption/group-places.ts";
import { LockstepError } from "../../core/errors.ts";
import { targetId } from "../../core/plan/desired-config.ts";
import { addressText } from "../../core/reconcile/plan-change.ts";
import type { StoredBinding, StoredSecret } from "../../core/store/config.ts";
import type { AppContext } from "../base/context.ts";
import type { SecretName } from "../base/find-secret.ts";
import { kindOf } from "../targets/open-target.ts";
import { openStoredCredentials } from "../targets/stored-credentials.ts";
import { foundValue } from "./judge-places.ts";
import { observePlaces, type PlaceToObserve } from "./observe-places.ts";

export interface BoundPlace extends AdoptionPlace {
  readonly bindingId: string;
  readonly targetId: string;
}

export interface LookedAt {
  readonly secret: StoredSecret;
  readonly view: AdoptionView<BoundPlace>;
  /** Of targets that could not be looked at, by `targetId`. */
  readonly failures: ReadonlyMap<string, LockstepError>;
}

/** Throws NOT_FOUND for an unknown secret. A place that cannot be read is part of the answer. */
export async function lookForAdoption(
  context: AppContext,
  { environment, name }: SecretName,
  signal: AbortSignal,
): Promise<LookedAt> {
  const { read } = context.store;
  const own = await read.config.snapshot([environment]);
  const secret = own.secrets.find((known) => known.name === name && !known.removed);
  if (secret === undefined) {
    throw new LockstepError("NOT_FOUND", `There is no secret ${name} in environment ${environment}.`, {
      hint: "Add it to lockstep.yaml with its bindings, and run `lockstep apply`.",
      details: { environment, secret: name },
    });
  }
  const bindings = own.bindings.filter((binding) => binding.secretId === secret.id);
  const foreign = [...new Set(bindings.map((binding) => binding.targetEnvironment))].filter(
    (e) => e !== environment,
  );
  const elsewhere = foreign.length === 0 ? [] : (await read.config.snapshot(foreign)).targets;
  const targets = [...own.targets, ...elsewhere];
  const looks = await observePlaces(
    context,
    targets.flatMap((target): PlaceToObserve[] => {
      const addresses = bindings.filter((binding) => binding.targetId === target.id);
      if (addresses.length === 0) return [];
      const credentials = () => openStoredCredentials(context, kindOf(context, target.kind), target);
      return [{ ...target, addresses, credentials, storedAt: target.id }];
    }),
    signal,
  );
  const found = bindings.map((binding): FoundPlace<BoundPlace> => {
    const look = looks.get(targetId(binding.targetEnvironment, binding.target));
    const failure = look === undefined ? "its target is gone" : (look.error?.message ?? null);
    const seen = look?.keys?.get(addressText(binding));
    return { place: placeOf(binding), ...foundValue(seen, binding.template, failure) };
  });
  const failures = [...looks].flatMap(([id, { error }]) => (error === null ? [] : [[id, error] as const]));
  return { secret, view: groupPlaces(found, context.sameValue), failures: new Map(failures) };
}

/**
 * Before a first value is made or set: throws NOT_ADOPTED when a place holds one already that nobody
 * chose about. Asks no place when the secret has a value.
 */
export async function assertAdopted(
  context: AppContext,
  name: SecretName,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const stored = await context.store.read.config.snapshot([name.environment]);
  const known = stored.secrets.find((secret) => secret.name === name.name);
  if (known === undefined || known.removed || known.currentVersion !== null) return;
  const { secret, view } = await lookForAdoption(context, name, signal);
  const refusal = refuseUnadopted(secret.name, view, secret.currentVersion);
  if (refusal !== null) throw refusal;
}

function placeOf(binding: StoredBinding): BoundPlace {
  return {
    target: binding.target,
    environment: binding.targetEnvironment,
    key: binding.key,
    placement: binding.placement,
    role: binding.role,
    bindingId: binding.id,
    targetId: binding.targetId,
  };
}
