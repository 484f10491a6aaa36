/**
 * `lockstep import`: a value that is in use somewhere becomes the secret's current version. Nothing wins by default.
 *
 * Places that hold the winner are adopted without a write: the loop finds them equal. The other values in use become
 * older versions, so that they are recognised wherever they turn up, and their places may be overwritten, because a
 * person chose. References and what cannot be read stay as they are.
 */
import type { Actor } from "../../core/actor.ts";
import { type AdoptionGroup, type Choice, chooseGroup } from "../../core/adoption/group-places.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SecretRecord } from "../../core/ports/store/secrets.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { unmeantEnds } from "../../lib/hidden-text.ts";
import type { AppContext } from "../context.ts";
import { introduceLocked } from "../introduce-version.ts";
import { hint } from "../loop/hint.ts";
import { openFields, sealFields, serializeFields } from "../secret-fields.ts";
import { type BoundPlace, type LookedAt, lookForAdoption, type SecretName } from "./adoption.ts";

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
  if (secret.policy["fields"] !== undefined) {
    throw new LockstepError("UNSUPPORTED", `Cannot import ${secret.name}: it has several fields.`, {
      hint: "Set its fields together with `lockstep secret set`.",
    });
  }
  const winner = chooseGroup(secret.name, view, request.from);
  if (request.exact !== true) assertMeant(secret.name, winner);
  const losers = view.groups.filter((group) => group !== winner);
  const { bumped, ...imported } = await context.store.transaction((tx) =>
    commit(context, tx, actor, { looked, winner, losers }),
  );
  await hint(
    context,
    bumped.map((id) => ({ name: "reconcile", id }) as const),
  );
  return {
    ...imported,
    secretId: secret.id,
    adopted: winner.places,
    corrected: [...losers.flatMap((group) => group.places), ...view.absent],
    unknown: view.unknown,
  };
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
  tx: Repositories,
  actor: Actor,
  { looked, winner, losers }: Chosen,
): Promise<Pick<Imported, "version" | "rolloutId"> & { readonly bumped: readonly string[] }> {
  const { environment, name } = looked.secret;
  const secret = await tx.secrets.find(environment, name);
  if (secret === null) throw new LockstepError("NOT_FOUND", `The secret ${name} was removed meanwhile.`);
  await tx.secrets.lockForNewVersion(secret.id);
  for (const { value } of losers) await rememberOlder(context, tx, actor, secret, value);
  await tx.places.allowTakeOver(losers.flatMap((group) => group.places.map((place) => place.bindingId)));

  const current = (await tx.secrets.versions(secret.id)).find((version) => version.state === "current");
  const details = {
    environment,
    from: winner.places.map((place) => place.target),
    corrected: losers.flatMap((group) => group.places.map((place) => place.target)),
  };
  const subject = { kind: "secret", id: secret.id, name };
  if (current !== undefined && (await isValue(context, tx, secret.id, current.version, winner.value))) {
    const targets = await tx.targets.bindingTargets(secret.id);
    await tx.audit.append({
      action: "secret.imported",
      actor,
      subject,
      details: { ...details, version: current.version },
    });
    const bumped = await tx.targets.bumpGenerations(targets, actor);
    return { version: current.version, rolloutId: null, bumped: [...bumped.keys()] };
  }
  // It is on its way already: whoever chose it again follows that.
  const open = await tx.rollouts.openOf(secret.id);
  if (open !== null && (await isValue(context, tx, secret.id, open.toVersion, winner.value)))
    return { version: open.toVersion, rolloutId: open.id, bumped: [] };
  const { introduced, effects } = await introduceLocked(context, tx, actor, secret, {
    fields: { [PLAIN_FIELD]: winner.value },
  });
  await tx.audit.append({
    action: "secret.imported",
    actor,
    subject,
    details: { ...details, version: introduced.version },
  });
  return { version: introduced.version, rolloutId: introduced.rolloutId, bumped: effects.reconcile };
}

/** A value that was in use: retired from the start. One that is known already is not kept twice. */
async function rememberOlder(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  secret: SecretRecord,
  value: SecretValue,
): Promise<void> {
  const { id: secretId, name } = secret;
  const fields = new Map([[PLAIN_FIELD, value]]);
  const fingerprint = context.fingerprinter.fingerprint(secretId, SecretValue.of(serializeFields(fields)));
  for (const known of await tx.secrets.versions(secretId)) {
    const same = known.fingerprint === fingerprint && known.state !== "destroyed";
    if (same && (await isValue(context, tx, secretId, known.version, value))) return;
  }
  const version = await tx.secrets.lockForNewVersion(secretId);
  await tx.secrets.addVersion({
    secretId,
    version,
    state: "retired",
    valueSealed: await sealFields(context, secretId, version, fields),
    fingerprint,
    createdBy: actor.name,
  });
  await tx.audit.append({
    action: "version.created",
    actor,
    subject: { kind: "secret", id: secretId, name },
    details: { version, state: "retired" },
  });
}

async function isValue(
  context: AppContext,
  tx: Repositories,
  secretId: string,
  version: number,
  value: SecretValue,
): Promise<boolean> {
  const stored = (await openFields(context, tx, secretId, version)).get(PLAIN_FIELD);
  return stored !== undefined && context.sameValue(stored, value);
}
