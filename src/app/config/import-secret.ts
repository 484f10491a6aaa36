/**
 * `lockstep import`: a value that is in use somewhere becomes the secret's current version. Nothing wins by default.
 *
 * Places that hold the winner are adopted without a write: the loop finds them equal. The other values in use become
 * older versions, so that they are recognised wherever they turn up, and their places may be overwritten, because a
 * person chose. References and what cannot be read stay as they are.
 */
import type { Actor } from "../../core/actor.ts";
import { type AdoptionGroup, type Choice, chooseGroup } from "../../core/adoption/group-places.ts";
import { isRingAway, LockstepError } from "../../core/errors.ts";
import { targetId } from "../../core/plan/desired-config.ts";
import { policyOf } from "../../core/policy.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { SecretRecord, VersionRecord } from "../../core/store/secrets.ts";
import { unmeantEnds } from "../../lib/hidden-text.ts";
import type { AppContext } from "../base/context.ts";
import type { SecretName } from "../base/find-secret.ts";
import type { Next } from "../base/follow-ups.ts";
import { type PreparedRepositories, transactionWithValues } from "../values/prepared-values.ts";
import { fingerprintOf } from "../values/secret-fields.ts";
import { addVersion, introduceLocked } from "../versions/introduce-version.ts";
import { type BoundPlace, type LookedAt, lookForAdoption } from "./adoption.ts";

export interface ImportRequest extends SecretName {
  readonly from: Choice;
  /** Also a value whose ends nobody sees as they are. */
  readonly exact?: boolean;
}

export interface Imported {
  readonly secretId: string;
  readonly version: number;
  /** Null when the value was current already, or nothing is bound. */
  readonly rolloutId: string | null;
  /** Adopted without a write. */
  readonly adopted: readonly BoundPlace[];
  /** Get the value now; what they held is an older version. */
  readonly corrected: readonly BoundPlace[];
  /** Stay as they are until somebody looks. */
  readonly unknown: readonly { readonly place: BoundPlace; readonly reason: string }[];
}

/**
 * Throws NOT_FOUND, NOT_ADOPTED, UNSUPPORTED for a secret of several fields, and VALUE_INVALID for a value that begins or
 * ends with what cannot be seen: one bad file would bring it everywhere.
 */
export async function importSecret(
  context: AppContext,
  actor: Actor,
  request: ImportRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<Imported> {
  const looked = await lookForAdoption(context, request, signal);
  const { secret, view } = looked;
  assertLookedAt(secret.name, looked, request.from);
  if (policyOf(secret.policy).hasFields) {
    throw new LockstepError("UNSUPPORTED", `Cannot import ${secret.name}: it has several fields.`, {
      hint: "Set its fields together with `lockstep secret set`.",
    });
  }
  const winner = chooseGroup(secret.name, view, request.from);
  if (request.exact !== true) assertMeant(secret.name, winner);
  const losers = view.groups.filter((group) => group !== winner);
  const imported = await transactionWithValues(context, (tx, next) =>
    commit(context, tx, next, actor, { looked, winner, losers }),
  );
  return {
    ...imported,
    secretId: secret.id,
    adopted: winner.places,
    corrected: [...losers.flatMap((group) => group.places), ...view.absent],
    unknown: view.unknown,
  };
}

/**
 * A chosen place that could not be looked at is told by its own error, with what fixes it. Where the key ring kept all of
 * them from being looked at, that nothing was found says nothing.
 */
function assertLookedAt(name: string, { view, failures }: LookedAt, from: Choice): void {
  const failure =
    from.by === "target"
      ? failures.get(targetId(from.environment, from.target))
      : [...failures.values()].find((one) => view.groups.length === 0 && isRingAway(one));
  if (failure === undefined) return;
  const { code, message, hint, details } = failure;
  throw new LockstepError(code, `Cannot import ${name}. ${message}`, { hint, details });
}

function assertMeant(name: string, { value, places }: AdoptionGroup<BoundPlace>): void {
  const trouble = unmeantEnds(value.reveal());
  if (trouble === null) return;
  const at = places.map(({ target }) => target).join(", ");
  throw new LockstepError("VALUE_INVALID", `Cannot import ${name}: the value at ${at} ${trouble}.`, {
    hint: "Take that out there, or import it as it is with --exact.",
  });
}

interface Chosen {
  readonly looked: LookedAt;
  readonly winner: AdoptionGroup<BoundPlace>;
  readonly losers: readonly AdoptionGroup<BoundPlace>[];
}

async function commit(
  context: AppContext,
  tx: PreparedRepositories,
  next: Next,
  actor: Actor,
  { looked, winner, losers }: Chosen,
): Promise<Pick<Imported, "version" | "rolloutId">> {
  const { environment, name } = looked.secret;
  const secret = await tx.secrets.find(environment, name);
  if (secret === null) throw new LockstepError("NOT_FOUND", `The secret ${name} was removed meanwhile.`);
  await rememberOlder(context, tx, actor, secret, losers);
  await tx.config.allowTakeOver(losers.flatMap((group) => group.places.map((place) => place.bindingId)));

  const versions = await tx.secrets.versions(secret.id);
  const current = versions.find((version) => version.state === "current");
  const details = {
    environment,
    from: winner.places.map((place) => place.target),
    corrected: losers.flatMap((group) => group.places.map((place) => place.target)),
  };
  const subject = { kind: "secret", id: secret.id, name };
  if (current !== undefined && isValue(context, current, winner.value)) {
    const targets = await tx.targets.bindingTargets(secret.id);
    await tx.audit.append({
      action: "secret.imported",
      actor,
      subject,
      details: { ...details, version: current.version },
    });
    const bumped = await tx.targets.bumpGenerations(targets, actor);
    next.reconcile(bumped.keys());
    return { version: current.version, rolloutId: null };
  }
  // It is on its way already: whoever chose it again follows that.
  const open = await tx.rollouts.openOf(secret.id);
  const coming = versions.find((version) => version.version === open?.toVersion);
  if (open !== null && coming !== undefined && isValue(context, coming, winner.value))
    return { version: open.toVersion, rolloutId: open.id };
  const introduced = await introduceLocked(context, tx, next, actor, secret, {
    fields: { [PLAIN_FIELD]: winner.value },
  });
  await tx.audit.append({
    action: "secret.imported",
    actor,
    subject,
    details: { ...details, version: introduced.version },
  });
  return { version: introduced.version, rolloutId: introduced.rolloutId };
}

/** Values that were in use: retired from the start. One that is known already is not kept twice. */
async function rememberOlder(
  context: AppContext,
  tx: PreparedRepositories,
  actor: Actor,
  secret: SecretRecord,
  losers: Chosen["losers"],
): Promise<void> {
  const next = await tx.secrets.lockForNewVersion(secret.id);
  const known = await tx.secrets.versions(secret.id);
  const unknown = losers
    .filter(({ value }) => !known.some((version) => isValue(context, version, value)))
    .map(({ value }, index) => ({ version: next + index, fields: { [PLAIN_FIELD]: value } }));
  tx.values.need(
    unknown.map(({ version, fields }) => ({
      secretId: secret.id,
      version,
      fields: new Map(Object.entries(fields)),
    })),
  );
  for (const older of unknown) await addVersion(tx, actor, secret, { ...older, state: "retired" });
}

function isValue(
  context: AppContext,
  { secretId, state, fingerprint }: VersionRecord,
  value: SecretValue,
): boolean {
  return (
    state !== "destroyed" && fingerprint === fingerprintOf(context, secretId, new Map([[PLAIN_FIELD, value]]))
  );
}
