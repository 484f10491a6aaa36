/**
 * What a place holds beside what it should: one word per binding of a plan. Pure; `same` compares in constant time.
 *
 *   the secret has a value     equal, would-set, foreign, reference, unreadable, drifted,
 *                              cannot-hold
 *   it has none yet            absent, value (see adoption), reference, unreadable
 *   the place did not answer   cannot-tell
 *   its destination was never applied   not-asked
 */
import type { ObservedKey } from "../ports/place.ts";
import { identify, type SameValue } from "../reconcile/plan-change.ts";
import type { SecretValue } from "../secret-value.ts";

export type PlaceState =
  /** Holds the current value already: adopted without a write. */
  | { readonly state: "equal"; readonly version: number }
  /** Nothing stands there, an older version of ours, or what may be taken over. */
  | {
      readonly state: "would-set";
      readonly now: "absent" | "older" | "foreign" | "reference" | "unreadable";
      /** What else the place says of it. */
      readonly why?: string;
    }
  /** A value that Lockstep does not know: it stays, unless taken over. */
  | { readonly state: "foreign" }
  | { readonly state: "reference" }
  | { readonly state: "unreadable"; readonly reason: string }
  /** Settled by us and changed by somebody since: the drift policy's matter. */
  | { readonly state: "drifted"; readonly now: "absent" | "older" | "foreign" | "reference" }
  | { readonly state: "absent"; readonly why?: string }
  /** No value is known yet, and one stands there; equal letters are equal values. */
  | { readonly state: "value"; readonly group: string }
  /** What the secret has now cannot stand there. */
  | { readonly state: "cannot-hold"; readonly code: string; readonly reason: string; readonly hint: string }
  /** Whoever proposes a configuration does not choose where the server goes. */
  | { readonly state: "not-asked" }
  | { readonly state: "cannot-tell"; readonly code: string; readonly reason: string; readonly hint: string };

export interface PlaceFacts {
  readonly currentVersion: number | null;
  /** All known versions as this binding would store them. */
  readonly versions: ReadonlyMap<number, SecretValue>;
  readonly settledVersion: number | null;
  readonly takeOver: boolean;
  readonly seen: ObservedKey | undefined;
}

/** For a secret that has a current version. */
export function placeState(
  facts: PlaceFacts & { readonly currentVersion: number },
  same: SameValue,
): PlaceState {
  const state = heldState(facts, same);
  if (state.state !== "would-set") return state;
  const { obstacle, observed } = facts.seen ?? {};
  if (obstacle === undefined)
    return observed?.state === "absent" && observed.why !== undefined
      ? { ...state, why: observed.why }
      : state;
  const { code, message: reason, hint } = obstacle;
  return { state: "cannot-hold", code, reason, hint };
}

function heldState(facts: PlaceFacts & { readonly currentVersion: number }, same: SameValue): PlaceState {
  const { currentVersion, settledVersion, takeOver } = facts;
  const found = identify(facts.seen, facts.versions, same, currentVersion);
  const settled = settledVersion === currentVersion;
  switch (found.kind) {
    case "version":
      if (found.version === currentVersion) return { state: "equal", version: currentVersion };
      return settled ? { state: "drifted", now: "older" } : { state: "would-set", now: "older" };
    case "absent":
      return settled ? { state: "drifted", now: "absent" } : { state: "would-set", now: "absent" };
    case "unknown":
      if (takeOver) return { state: "would-set", now: "foreign" };
      return settledVersion === null ? { state: "foreign" } : { state: "drifted", now: "foreign" };
    case "reference":
      if (takeOver) return { state: "would-set", now: "reference" };
      return settledVersion === null ? { state: "reference" } : { state: "drifted", now: "reference" };
    case "unreadable":
      // What we wrote last is the best that is known of it.
      if (settled) return { state: "equal", version: currentVersion };
      if (takeOver || settledVersion !== null) return { state: "would-set", now: "unreadable" };
      return { state: "unreadable", reason: found.reason };
  }
}

/**
 * Also what nobody has looked at: something may stand there, and only a word given beforehand reaches it. Also a
 * reference where our value was: the loop leaves it as somebody's arrangement until it is told.
 */
export function needsTakeOver(place: PlaceState): boolean {
  if (place.state === "drifted") return place.now === "reference";
  return ["foreign", "reference", "unreadable", "not-asked"].includes(place.state);
}
