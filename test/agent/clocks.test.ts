import fc from "fast-check";
import { expect, it } from "vitest";
import { ClockJumps, Countdown } from "../../src/edges/agent/loop/clocks.ts";

it("a wait is never longer than it was asked for, however the clock is set, and ends after a sleep", () => {
  const step = fc.record({
    passMs: fc.nat(60_000),
    setMs: fc.integer({ min: -1e9, max: 1e9 }),
    sleepMs: fc.nat(1e8),
  });
  fc.assert(
    fc.property(fc.nat(600_000), fc.array(step), (waitMs, steps) => {
      let [wall, own] = [1e12, 5];
      const countdown = new Countdown({ nowMs: () => wall, monotonicMs: () => own });
      countdown.start(waitMs);
      let [awakeMs, ranMs] = [0, 0];
      for (const { passMs, setMs, sleepMs } of steps) {
        awakeMs += passMs;
        ranMs += passMs + setMs + sleepMs;
        wall += passMs + setMs + sleepMs;
        own += passMs;
        expect(countdown.leftMs()).toBe(Math.max(0, waitMs - Math.max(awakeMs, ranMs)));
      }
    }),
  );
});

it("a sleep and a clock that is set are seen once; a clock that is turned slowly is not", () => {
  let [wall, own] = [1e12, 5];
  const jumps = new ClockJumps({ nowMs: () => wall, monotonicMs: () => own });
  const looks = (...steps: readonly (readonly [number, number])[]) =>
    steps.map(([wallMs, ownMs]) => {
      wall += wallMs;
      own += ownMs;
      return jumps.look();
    });
  expect(looks([5_000, 5_000], [600_000, 1], [5_000, 5_000])).toEqual([false, true, false]);
  expect(looks([-3_600_000, 5_000], [5_000, 5_000])).toEqual([true, false]);
  expect(looks([5_400, 5_000], [5_400, 5_000], [4_600, 5_000])).toEqual([false, false, false]);
});
