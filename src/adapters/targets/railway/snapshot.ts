/**
 * Was a deployment started with what it should have been started with? Compared in memory, told without a value. Pure.
 *
 * Whether a snapshot shows references resolved or as written, and whether it lists sealed names, is not documented:
 * both are understood, and where only a name can be seen, the name is what counts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { RunningFound, RunningKeyQuestion } from "../../../core/ports/running.ts";
import type { SetItem } from "../../../core/ports/target.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { SHARED_PLACEMENT } from "./config.ts";
import { hasReference, sharedNamesIn, withSharedValues } from "./references.ts";

type Variables = Readonly<Record<string, string | null>>;

export interface StartedWith {
  readonly snapshot: Variables;
  /** Of the service, as written. */
  readonly stored: Variables;
}

/** Null when everything expected was there; otherwise why not. */
export function whyOutdated({ snapshot, stored }: StartedWith, expected: readonly SetItem[]): string | null {
  for (const { placement, key, value } of expected) {
    if (placement === SHARED_PLACEMENT) continue;
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

function isSameText(left: string, right: string): boolean {
  const [one, other] = [left, right].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
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
