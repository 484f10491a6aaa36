import { expect, it } from "vitest";
import { isLater, isSameTime, nanosecondsOf } from "../../src/adapters/vault/times.ts";

it.each([
  ["2026-11-30T18:00:00.000000002Z", "2026-11-30T18:00:00.000000001Z"],
  ["2026-11-30T18:00:00.1Z", "2026-11-30T18:00:00.09Z"],
  ["2026-11-30T18:00:01Z", "2026-11-30T18:00:00.999999999Z"],
  ["2026-11-30T18:00:00.5Z", "2026-11-30T20:00:00.4+02:00"],
])("%s is later than %s, and not the other way round", (later, earlier) => {
  expect([isLater(later, earlier), isLater(earlier, later), isLater(later, later)]).toEqual([
    true,
    false,
    false,
  ]);
});

it("the same instant with more digits, or of another zone, is the same", () => {
  expect(isSameTime("2026-11-30T18:00:00.120Z", "2026-11-30T18:00:00.12Z")).toBe(true);
  expect(isSameTime("2026-11-30T18:00:00Z", "2026-11-30T20:00:00+02:00")).toBe(true);
  expect(isSameTime("2026-11-30T18:00:00.000000001Z", "2026-11-30T18:00:00Z")).toBe(false);
});

it("what is no time is neither later nor the same as a time", () => {
  expect(nanosecondsOf("yesterday")).toBeNull();
  expect(isLater("yesterday", "2026-11-30T18:00:00Z")).toBe(false);
  expect(isSameTime("", "2026-11-30T18:00:00Z")).toBe(false);
});
