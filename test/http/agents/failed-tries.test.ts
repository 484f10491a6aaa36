/** What a flood of wrong codes costs, and whom it does not keep out. */
import { expect, test } from "vitest";
import { FailedTries } from "../../../src/edges/http/agents/failed-tries.ts";

function createTries(options: { readonly maxPerSource?: number; readonly maxInAll?: number } = {}) {
  const clock = { nowMs: 1_000_000 };
  return { clock, tries: new FailedTries({ now: () => clock.nowMs, ...options }) };
}

function fail(tries: FailedTries, source: string, times: number): void {
  for (let time = 0; time < times; time += 1) tries.failed(source);
}

test("a source that fails too often waits until the minute is over, and others do not", () => {
  const { tries, clock } = createTries({ maxPerSource: 3 });
  fail(tries, "203.0.113.5", 3);
  expect(tries.waitMs("203.0.113.5")).toBe(60_000);
  expect(tries.waitMs("203.0.113.6")).toBe(0);
  clock.nowMs += 60_000;
  expect(tries.waitMs("203.0.113.5")).toBe(0);
});

test("in a flood from everywhere, who has not failed still gets a try", () => {
  const { tries } = createTries({ maxPerSource: 3, maxInAll: 5 });
  for (let host = 0; host < 5; host += 1) fail(tries, `198.51.100.${host}`, 1);
  expect(tries.waitMs("198.51.100.1")).toBeGreaterThan(0);
  expect(tries.waitMs("203.0.113.5")).toBe(0);
});

test.each([
  ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true],
  ["2001:db8::1", "2001:db8:0:0:9::1", true],
  ["::1", "::2", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["::ffff:203.0.113.5", "203.0.113.5", true],
  ["::ffff:203.0.113.5", "203.0.113.6", false],
])("%s and %s count as one source: %s", (one, other, isSame) => {
  const { tries } = createTries({ maxPerSource: 1 });
  fail(tries, one, 1);
  expect(tries.waitMs(other) > 0).toBe(isSame);
});
