/**
 * Was a deployment started with what it should have been started with? Compared in memory, told without a value. Pure.
 *
 * Whether a snapshot shows references resolved or as written, and whether it lists sealed names, is not documented:
 * both are understood, and where only a name can be seen, the name is what counts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { SetItem } from "../../../../core/ports/place.ts";
import type { RunningFound, RunningKeyQuestion } from "../../../../core/ports/running.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import { SHARED_PLACEMENT } from "../config.ts";
import {
  fits,
  patternOf,
  patternOfDirect,
  type ReferenceGraph,
  type ScopeId,
  usersOf,
} from "../variables/reference-graph.ts";
import { hasReference, type Reference, sharedNamesIn, withSharedValues } from "../variables/references.ts";

type Variables = Readonly<Record<string, string | null>>;

export interface StartedWith {
  readonly snapshot: Variables;
  /** Of the service, as written. */
  readonly stored: Variables;
}

/** Null when everything expected was there; otherwise why not. `ownerAt`: the other service at a place; null: it is this one's. */
export function whyOutdated(
  { snapshot, stored }: StartedWith,
  expected: readonly SetItem[],
  ownerAt: (place: string) => OwnerService | null = () => null,
): string | null {
  for (const { placement, key, value, ...from } of expected) {
    if (placement === SHARED_PLACEMENT) continue;
    const owner = from.locationKey === undefined ? null : ownerAt(from.locationKey);
    if (owner !== null) {
      const reason = whyUserOutdated({ snapshot, stored }, owner, key, value);
      if (reason !== null) return reason;
      continue;
    }
    const started = own(snapshot, key);
    const isSealed = own(stored, key) === null;
    if (started === undefined && !isSealed) return `the deployment was started without ${key}`;
    if (typeof started !== "string" || isSealed || hasReference(started)) continue;
    if (started !== value.reveal()) return `the deployment was started with another value of ${key}`;
  }
  return whySharedOutdated({ snapshot, stored }, expected);
}

/**
 * Which version of a variable the deployment was started with. A shared one is seen under the names that refer to it:
 * all of them must agree.
 */
export function foundIn(
  { snapshot, stored }: StartedWith,
  { placement, key, candidates }: RunningKeyQuestion,
): RunningFound {
  if (placement !== SHARED_PLACEMENT) return versionOf(own(snapshot, key), own(stored, key), candidates);
  const found = Object.entries(stored)
    .filter(([, text]) => sharedNamesIn(text ?? "").includes(key))
    .map(([name, text]) => {
      const rendered = new Map(
        [...candidates].map(([version, value]): [number, SecretValue] => [
          version,
          SecretValue.of(withSharedValues(text ?? "", new Map([[key, value.reveal()]]))),
        ]),
      );
      return versionOf(own(snapshot, name), undefined, rendered);
    });
  const [first] = found;
  if (first === undefined) return { state: "absent" };
  return found.every((one) => isDeepStrictEqual(one, first)) ? first : { state: "unknown" };
}

/**
 * The same of another service's variable, or a shared one, which this service takes over any number of steps: seen under
 * each of its own names into which it comes. The oldest counts.
 */
export function foundThrough(
  { snapshot }: StartedWith,
  graph: ReferenceGraph,
  at: { readonly service: string; readonly source: { readonly scope: ScopeId; readonly key: string } },
  candidates: RunningKeyQuestion["candidates"],
): RunningFound {
  const { service, source } = at;
  const names = usersOf(graph, source.scope, new Set([source.key])).get(service) ?? new Set();
  const found = [...names].map((name) =>
    versionIn(own(snapshot, name), [...candidates], (value) =>
      patternOf(graph, { service, name }, source, value),
    ),
  );
  const versions = found.flatMap((one) => (one.state === "version" ? [one.version] : []));
  // A name that came since the deployment is not in its process.
  const other =
    found.find(({ state }) => state === "unknown") ?? found.find(({ state }) => state === "unreadable");
  if (other?.state === "unknown" || versions.length === 0) return other ?? { state: "absent" };
  const oldest: RunningFound = { state: "version", version: Math.min(...versions) };
  const isOld = Math.min(...versions) < Math.max(...candidates.keys());
  return isOld ? oldest : (other ?? oldest);
}

function versionIn(
  started: string | null | undefined,
  candidates: readonly (readonly [number, SecretValue])[],
  pattern: (value: string) => readonly string[] | null,
): RunningFound {
  if (started === undefined) return { state: "absent" };
  if (started === null || pattern("") === null) return { state: "unreadable", reason: SEALED };
  const fitting = candidates.filter(([, value]) => {
    const parts = pattern(value.reveal()) ?? [];
    return parts.length === 1 ? isSameText(parts[0] ?? "", started) : fits(started, parts);
  });
  if (fitting.length === 0)
    return hasReference(started) ? { state: "unreadable", reason: REFERENCE } : { state: "unknown" };
  const values = new Set(fitting.map(([, value]) => value.reveal()));
  // What stands around it is not known, and might hold the rest of a longer one.
  if (values.size > 1) return { state: "unreadable", reason: AMBIGUOUS };
  return { state: "version", version: Math.max(...fitting.map(([version]) => version)) };
}

/** The newest of equal ones. */
function versionOf(
  started: string | null | undefined,
  stored: string | null | undefined,
  candidates: ReadonlyMap<number, SecretValue>,
): RunningFound {
  if (started === null || (started === undefined && stored === null))
    return { state: "unreadable", reason: SEALED };
  if (started === undefined) return { state: "absent" };
  const fitting = [...candidates].filter(([, value]) => isSameText(value.reveal(), started));
  if (fitting.length > 0)
    return { state: "version", version: Math.max(...fitting.map(([version]) => version)) };
  return hasReference(started) ? { state: "unreadable", reason: REFERENCE } : { state: "unknown" };
}

const SEALED =
  "the variable is sealed, and Railway shows nobody what a deployment was started with; a probe of the service can";
const REFERENCE =
  "Railway shows a reference as it is written, not what a deployment made of it; a probe of the service can";

const AMBIGUOUS =
  "the deployment's text fits more than one version, because it holds more than this value; a probe of the service can tell";

function isSameText(left: string, right: string): boolean {
  const [one, other] = [left, right].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

export interface OwnerService {
  readonly id: string;
  readonly name: string;
}

/** Of what this service takes from another one in one step; over more steps a look at its processes tells. */
function whyUserOutdated(
  { snapshot, stored }: StartedWith,
  owner: OwnerService,
  key: string,
  value: SecretValue,
): string | null {
  const isSource = (one: Reference) =>
    one.name === key && (one.owner === owner.name || one.owner === owner.id);
  for (const [name, text] of Object.entries(stored)) {
    const parts = patternOfDirect(text ?? "", isSource, value.reveal());
    if (parts === null) continue;
    const started = own(snapshot, name);
    if (started === undefined) return `the deployment was started without ${name}`;
    if (started === null || started === text || fits(started, parts)) continue;
    return `the deployment was started with another value of ${owner.name}'s ${key} in ${name}`;
  }
  return null;
}

/** A service sees a shared variable under the names that refer to it, alone or inside a longer text. */
function whySharedOutdated({ snapshot, stored }: StartedWith, expected: readonly SetItem[]): string | null {
  const shared = new Map(
    expected
      .filter(({ placement }) => placement === SHARED_PLACEMENT)
      .map(({ key, value }) => [key, value.reveal()]),
  );
  for (const [name, text] of Object.entries(stored)) {
    const referred = sharedNamesIn(text ?? "").filter((key) => shared.has(key));
    if (text === null || referred.length === 0) continue;
    const started = own(snapshot, name);
    if (started === undefined) return `the deployment was started without ${name}`;
    // As written, or sealed: that it is there is all that can be seen.
    if (started === null || started === text) continue;
    const resolved = withSharedValues(text, shared);
    const fits = hasReference(resolved)
      ? referred.every((key) => started.includes(shared.get(key) ?? ""))
      : started === resolved;
    if (!fits) return `the deployment was started with another value of ${referred.join(", ")} in ${name}`;
  }
  return null;
}

function own(variables: Variables, key: string): string | null | undefined {
  return Object.hasOwn(variables, key) ? variables[key] : undefined;
}
