import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CATALOGUE } from "../../../src/core/error-catalogue.ts";
import { FAMILIES } from "../../../src/core/error-families.ts";
import { type ErrorCode, LockstepError } from "../../../src/core/errors.ts";
import { nextTry } from "../../../src/core/reconcile/retry.ts";

const codes = Object.keys(CATALOGUE) as ErrorCode[];

describe("when a target is tried again", () => {
  it("the backoff grows from a second to an hour, and never ends", () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 7, 50].map((attempts) => {
      const next = nextTry(new LockstepError("TARGET_UNREACHABLE", "away"), attempts, 0.5);
      return next.kind === "in" ? next.delayMs : Number.NaN;
    });
    expect(delays).toEqual([1_000, 3_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 3_600_000]);
  });

  it("a refused credential is not tried again by itself", () => {
    expect(nextTry(new LockstepError("TARGET_CREDENTIAL_REJECTED", "refused"), 0, 0.5)).toEqual({
      kind: "gave-up",
    });
  });

  it("a rate limit waits as long as the place says, and spends no attempt", () => {
    const error = new LockstepError("TARGET_RATE_LIMITED", "slow down", { retryAfterMs: 41_000 });
    expect(nextTry(error, 0, 0.5)).toEqual({ kind: "in", delayMs: 41_000, spendsAttempt: false });
  });

  it("an unknown outcome is looked at at once", () => {
    expect(nextTry(new LockstepError("TARGET_OUTCOME_UNKNOWN", "cut"), 3, 0.5)).toMatchObject({
      kind: "in",
      delayMs: 0,
    });
  });

  it("a source of ours that is away spends no attempt, whatever its family", () => {
    for (const code of ["KEY_RING_UNAVAILABLE", "KEY_RING_REFUSED", "ROOT_KEY_CHANGED"] as const)
      expect(nextTry(new LockstepError(code, "away"), 100, 0.5), code).toEqual({
        kind: "in",
        delayMs: 10_000,
        spendsAttempt: false,
      });
  });

  it("every code of the catalogue has an answer, and none waits longer than an hour and its jitter", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.nat(200),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (code, attempts, random) => {
          const next = nextTry(new LockstepError(code, "x"), attempts, random);
          if (next.kind === "gave-up") {
            expect(["never", "replan"]).toContain(FAMILIES[CATALOGUE[code].family].verdict);
          } else {
            expect(next.delayMs).toBeGreaterThanOrEqual(0);
            expect(next.delayMs).toBeLessThanOrEqual(3_600_000 * 1.2);
          }
        },
      ),
    );
  });
});
