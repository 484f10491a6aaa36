import { describe, expect, it } from "vitest";
import { LockstepError } from "../../../src/core/errors.ts";
import { type PlaceFacts, placeState } from "../../../src/core/plan/place-state.ts";
import type { Observed } from "../../../src/core/ports/place.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";

const versions = new Map([1, 2].map((version) => [version, SecretValue.of(`v${version}`)]));
const present = (value: string): Observed => ({ state: "present", value: SecretValue.of(value) });
const sealed: Observed = { state: "unreadable", reason: "sealed" };
const reference: Observed = { state: "reference", text: "elsewhere" };

/** observed, settled version, take over → what the plan says; the current version is 2. */
const CASES: readonly [Observed, number | null, boolean, object][] = [
  [present("v2"), null, false, { state: "equal", version: 2 }],
  [present("v2"), 2, false, { state: "equal", version: 2 }],
  [present("v1"), null, false, { state: "would-set", now: "older" }],
  [present("v1"), 1, false, { state: "would-set", now: "older" }],
  [present("v1"), 2, false, { state: "drifted", now: "older" }],
  [present("theirs"), null, false, { state: "foreign" }],
  [present("theirs"), null, true, { state: "would-set", now: "foreign" }],
  [present("theirs"), 2, false, { state: "drifted", now: "foreign" }],
  [{ state: "absent" }, null, false, { state: "would-set", now: "absent" }],
  [{ state: "absent" }, 2, false, { state: "drifted", now: "absent" }],
  [reference, null, false, { state: "reference" }],
  [reference, null, true, { state: "would-set", now: "reference" }],
  [sealed, null, false, { state: "unreadable", reason: "sealed" }],
  [sealed, null, true, { state: "would-set", now: "unreadable" }],
  [sealed, 1, false, { state: "would-set", now: "unreadable" }],
  [sealed, 2, false, { state: "equal", version: 2 }],
];

describe("the state of a place in a plan", () => {
  it.each(CASES)("%o, settled %s, take over %s", (observed, settledVersion, takeOver, expected) => {
    const seen = { placement: "", key: "K", observed };
    const facts: PlaceFacts & { currentVersion: number } = {
      currentVersion: 2,
      versions,
      settledVersion,
      takeOver,
      seen,
    };
    expect(placeState(facts, (left, right) => left.reveal() === right.reveal())).toEqual(expected);
  });

  it("says what a write would be refused for, only where one would come", () => {
    const obstacle = new LockstepError("FILE_SHARED", "Cannot write /etc/env: it has further names.");
    const state = (observed: Observed) =>
      placeState(
        {
          currentVersion: 2,
          versions,
          settledVersion: null,
          takeOver: false,
          seen: { placement: "", key: "K", observed, obstacle },
        },
        (left, right) => left.reveal() === right.reveal(),
      );
    expect(state(present("v1"))).toMatchObject({ state: "cannot-hold", code: "FILE_SHARED" });
    expect(state(present("v2"))).toEqual({ state: "equal", version: 2 });
    expect(state(present("theirs"))).toEqual({ state: "foreign" });
  });
});
