/** When a token is renewed: in time, often enough before its end, and never in a hot loop. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { isCapped, nextTryAtMs } from "../../src/adapters/vault/renewal-plan.ts";

const life = fc.record({
  grantedAtMs: fc.integer({ min: 0, max: 2 ** 40 }),
  lifeMs: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 768 * 3_600_000 })),
});
const random = fc.double({ min: 0, max: 1, noNaN: true });

it("first at two thirds, less a tenth at most, and never in the past", () => {
  fc.assert(
    fc.property(life, random, fc.nat(10 ** 9), (granted, chance, lateMs) => {
      const nowMs = granted.grantedAtMs + lateMs;
      const atMs = nextTryAtMs(granted, 0, nowMs, chance);
      // One that ends in a moment would be asked about without a pause.
      expect(atMs === null).toBe(granted.lifeMs < 5_000);
      if (atMs === null) return;
      expect(atMs).toBeGreaterThanOrEqual(nowMs);
      const share = (atMs - granted.grantedAtMs) / granted.lifeMs;
      if (atMs > nowMs) {
        expect(share).toBeGreaterThanOrEqual(0.6 - 1e-6);
        expect(share).toBeLessThanOrEqual(2 / 3 + 1e-6);
      }
    }),
  );
});

it("then at least five times more before it ends, at least most of a second apart", () => {
  fc.assert(
    fc.property(life, fc.array(random, { minLength: 1, maxLength: 20 }), (granted, chances) => {
      let atMs = nextTryAtMs(granted, 0, granted.grantedAtMs, chances[0] ?? 0);
      let tries = 0;
      while (atMs !== null) {
        expect(atMs).toBeLessThan(granted.grantedAtMs + granted.lifeMs);
        tries += 1;
        const next = nextTryAtMs(granted, tries, atMs, chances[tries % chances.length] ?? 0);
        if (next !== null) expect(next - atMs).toBeGreaterThanOrEqual(899);
        atMs = next;
      }
      if (granted.lifeMs >= 30_000) expect(tries).toBeGreaterThanOrEqual(6);
      expect(tries).toBeLessThan(20);
    }),
  );
});

it("a grant that is shorter than what was asked for is a limit", () => {
  expect(isCapped(3_600_000, 3_600_000)).toBe(false);
  expect(isCapped(3_600_000, 3_590_000)).toBe(false);
  expect(isCapped(3_600_000, 1_800_000)).toBe(true);
  expect(isCapped(null, 1_800_000)).toBe(false);
  expect(isCapped(3_600_000, null)).toBe(false);
});
