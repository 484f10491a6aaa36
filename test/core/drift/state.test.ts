import { describe, expect, it } from "vitest";
import { type BindingFacts, bindingState, isDrift } from "../../../src/core/drift/state.ts";

const settled: BindingFacts = { wantedVersion: 5, settledVersion: 5, found: "version", foundVersion: 5 };

describe("what a binding's state is called", () => {
  it.each<[string, Partial<BindingFacts>, string]>([
    ["the settled version is there", {}, "in-sync"],
    ["an older version is there", { foundVersion: 4 }, "stale"],
    ["somebody wrote another value", { found: "unknown", foundVersion: null }, "foreign"],
    ["it was deleted", { found: "absent", foundVersion: null }, "missing"],
    ["it cannot be read", { found: "unreadable", foundVersion: null }, "unreadable"],
    ["it was never looked at", { found: null, foundVersion: null }, "unreadable"],
    ["a newer version is on its way", { wantedVersion: 6 }, "owed"],
    ["nothing was settled yet", { settledVersion: null, found: "absent", foundVersion: null }, "owed"],
    [
      "a foreign value keeps us from settling",
      { settledVersion: null, found: "unknown", foundVersion: null },
      "foreign",
    ],
    [
      "the secret has no value yet",
      { wantedVersion: null, settledVersion: null, found: null, foundVersion: null },
      "in-sync",
    ],
  ])("%s", (_what, facts, state) => {
    expect(bindingState({ ...settled, ...facts })).toBe(state);
  });

  it("what could not be read is neither in sync nor drift", () => {
    expect(isDrift("unreadable")).toBe(false);
    expect(isDrift("owed")).toBe(false);
    expect(isDrift("stale")).toBe(true);
  });
});
