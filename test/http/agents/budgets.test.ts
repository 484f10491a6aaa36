import { expect, test } from "vitest";
import { Budget } from "../../../src/edges/http/agents/budgets.ts";

function budget(burst: number, everyMs: number) {
  let now = 0;
  const at = (ms: number): void => {
    now = ms;
  };
  return { budget: new Budget({ now: () => now, burst, everyMs }), at };
}

test("ruling 30: so many at once, then one at a time, and each for itself", () => {
  const { budget: one, at } = budget(3, 1_000);
  expect([one.take("a"), one.take("a"), one.take("a"), one.take("a")]).toEqual([0, 0, 0, 1_000]);
  expect(one.take("b")).toBe(0);
  at(999);
  expect(one.take("a")).toBe(1);
  at(1_000);
  expect([one.take("a"), one.take("a")]).toEqual([0, 1_000]);
});

test("ruling 30: what was refused costs nothing, and a clock that goes back grants nothing", () => {
  const { budget: one, at } = budget(1, 1_000);
  at(5_000);
  expect(one.take("a")).toBe(0);
  expect([one.take("a"), one.take("a")]).toEqual([1_000, 1_000]);
  at(1_000);
  expect(one.take("a")).toBe(1_000);
  at(6_000);
  expect(one.take("a")).toBe(0);
});

test("ruling 30: who has been quiet is forgotten, so ever new names fill no memory", () => {
  const { budget: one, at } = budget(2, 10);
  for (let index = 0; index < 1_000; index += 1) {
    at(index * 100);
    one.take(`agent ${index}`);
  }
  expect(one.size).toBeLessThan(5);
});
