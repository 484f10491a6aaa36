/**
 * `lockstep discover`: forgotten places. Looks around within what the stored credentials reach, one look per scope, for
 * keys that nobody manages and that hold a value of ours, or bear a managed key's name. Changes nothing, and no value
 * leaves.
 */
import { createHash } from "node:crypto";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { DiscoveredKey, Discovery, Interest } from "../../core/ports/discoverer.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { BindingRow, SecretRow } from "../../core/store/views.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { DiscoverAnswer, DiscoveredPlace } from "../../protocol/api-doctor.ts";
import type { AppContext } from "../base/context.ts";
import { openKnownVersions, renderKnown } from "../desired/known-values.ts";
import { kindOf, withTarget } from "../targets/open-target.ts";

const MAX_AT_ONCE = 8;
const LOOK_TIMEOUT_MS = 30_000;
/** A shorter value stands in many places by chance. */
const MIN_TELLING_LENGTH = 8;

interface KnownValue {
  readonly environment: string;
  readonly secret: string;
  readonly version: number;
  readonly isCurrent: boolean;
}

/** Throws NOT_FOUND when nothing is there that could be looked around from. */
export async function discoverPlaces(
  context: AppContext,
  { environment }: { readonly environment?: string },
  signal: AbortSignal,
): Promise<DiscoverAnswer> {
  const filter = environment === undefined ? {} : { environment };
  const { views, targets: repo } = context.store.read;
  const [rows, bindings] = await Promise.all([views.targets(filter), views.bindings(filter)]);
  const records = await Promise.all(rows.map((row) => repo.findByName(row.environment, row.name)));
  const asked = onePerScope(
    context,
    records.filter((record) => record !== null),
  );
  if (asked.length === 0) {
    throw new LockstepError("NOT_FOUND", "Cannot look around: no target reaches beyond what it manages.", {
      hint: "Railway services, hosts over SSH and paths in Vault do; `lockstep target list` shows the targets.",
    });
  }
  const secrets = await views.secrets(filter);
  const values = await knownValues(context, secrets);
  const names = keysOf(bindings, secrets);
  const interest: Interest = {
    keys: new Set(names.keys()),
    knows: (value) => value.reveal().length >= MIN_TELLING_LENGTH && values.has(digestOf(value)),
  };
  const looks = await mapLimited(asked, MAX_AT_ONCE, (target) => look(context, target, interest, signal));
  const found = looks.flatMap(({ target, discovery }) => discovery.found.map((key) => ({ target, key })));
  const owners = await context.store.read.config.ownersAt([
    ...new Set(found.map(({ key }) => key.locationKey)),
  ]);
  const managed = new Set(owners.filter(({ live }) => live).map(({ place, key }) => `${place}\u0000${key}`));
  return {
    checkedAt: context.clock.now().toISOString(),
    looked: looks.flatMap(({ target, error }) => (error === null ? [target.name] : [])),
    places: found
      .filter(({ key }) => !managed.has(`${key.locationKey}\u0000${key.key}`))
      .map(({ target, key }) => toPlace(target, key, values, names)),
    unseen: looks.flatMap(({ target, discovery, error }) => [
      ...(error === null ? [] : [{ target: target.name, name: target.name, reason: error.message }]),
      ...discovery.unseen.map((one) => ({ target: target.name, ...one })),
    ]),
  };
}

/** Targets of one scope reach the same. */
function onePerScope(context: AppContext, records: readonly TargetRecord[]): readonly TargetRecord[] {
  const byScope = new Map<string, TargetRecord>();
  for (const record of records) {
    const scope = kindOf(context, record.kind).discoveryScope?.(record.config);
    if (scope !== undefined && !byScope.has(scope)) byScope.set(scope, record);
  }
  return [...byScope.values()];
}

interface Look {
  readonly target: TargetRecord;
  readonly discovery: Discovery;
  readonly error: LockstepError | null;
}

/** One place that does not answer hides no other. */
async function look(
  context: AppContext,
  target: TargetRecord,
  interest: Interest,
  signal: AbortSignal,
): Promise<Look> {
  const nothing: Discovery = { found: [], unseen: [] };
  try {
    const discovery = await withDeadline(signal, LOOK_TIMEOUT_MS, (limited) =>
      withTarget(
        context,
        target,
        async ({ discoverer }) => discoverer?.discover(interest, limited) ?? nothing,
        { purpose: "background" },
      ),
    );
    return { target, discovery, error: null };
  } catch (error) {
    return { target, discovery: nothing, error: toLockstepError(error) };
  }
}

/** By a digest, so that thousands of values need one lookup each; it never leaves this process. */
async function knownValues(
  context: AppContext,
  secrets: readonly SecretRow[],
): Promise<ReadonlyMap<string, KnownValue>> {
  const known = new Map<string, KnownValue>();
  for (const secret of secrets) {
    const versions = await openKnownVersions(context, context.store.read, secret.id);
    for (const [version, value] of renderKnown(versions, { template: null })) {
      const isCurrent = version === secret.currentVersion;
      const before = known.get(digestOf(value));
      if (before === undefined || (isCurrent && !before.isCurrent)) {
        known.set(digestOf(value), {
          environment: secret.environment,
          secret: secret.name,
          version,
          isCurrent,
        });
      }
    }
  }
  return known;
}

function digestOf(value: SecretValue): string {
  return createHash("sha256").update(value.reveal()).digest("base64url");
}

/** Which secret stands under a key elsewhere. */
function keysOf(bindings: readonly BindingRow[], secrets: readonly SecretRow[]): ReadonlyMap<string, string> {
  const names = new Map(secrets.map(({ id, name }) => [id, name]));
  return new Map(bindings.map(({ key, secretId }) => [key, names.get(secretId) ?? key]));
}

function toPlace(
  target: TargetRecord,
  { name, placement, key, observed, config, file }: DiscoveredKey,
  values: ReadonlyMap<string, KnownValue>,
  names: ReadonlyMap<string, string>,
): DiscoveredPlace {
  const known = observed.state === "present" ? values.get(digestOf(observed.value)) : undefined;
  const at = {
    reachedBy: target.name,
    kind: target.kind,
    name,
    placement,
    key,
    secret: known?.secret ?? names.get(key) ?? null,
    environment: known?.environment ?? target.environment,
    add: { config, file },
  };
  if (observed.state === "unreadable")
    return { ...at, holds: "unreadable", version: null, reason: observed.reason };
  if (known === undefined) return { ...at, holds: "unknown", version: null, reason: null };
  return { ...at, holds: known.isCurrent ? "current" : "older", version: known.version, reason: null };
}
