import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isRotationDue } from "../../../src/core/rollout/schedule.ts";

const DAY_MS = 86_400_000;
const at = (text: string): number => Date.parse(`2026-03-01T${text}:00Z`);

describe("a rotation by schedule", () => {
  it("is due when the current version is as old as it may become, and at most a twentieth earlier", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 400 * DAY_MS }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (everyMs, seed) => {
          const due = (ageMs: number) => isRotationDue({ everyMs, window: null }, { ageMs, nowMs: 0, seed });
          expect(due(everyMs)).toBe(true);
          expect(due(everyMs * 0.94)).toBe(false);
        },
      ),
    );
  });

  it.each([
    ["02:00-05:00", "01:59", false],
    ["02:00-05:00", "02:00", true],
    ["02:00-05:00", "04:59", true],
    ["02:00-05:00", "05:00", false],
    ["22:00-02:00", "23:30", true],
    ["22:00-02:00", "01:59", true],
    ["22:00-02:00", "12:00", false],
  ])("in the window %s at %s UTC: %s", (window, time, isDue) => {
    expect(isRotationDue({ everyMs: 1, window }, { ageMs: 10, nowMs: at(time), seed: 0 })).toBe(isDue);
  });
});
