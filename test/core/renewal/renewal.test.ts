/** When a token is renewed: in time, often enough, spread, and told in order; a year in milliseconds. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acceptToken } from "../../../src/core/renewal/accept-token.ts";
import { decide, levelNow } from "../../../src/core/renewal/decide.ts";
import {
  DEFAULT_RENEW_POLICY,
  dueAtMs,
  isEscalation,
  LEAST_TRIES,
  levelOf,
  RENEWAL_LEVELS,
  type RenewalLevel,
  retryAtMs,
} from "../../../src/core/renewal/due.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import type { RenewalState } from "../../../src/core/store/renewals.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const lives = fc.integer({ min: 2 * MINUTE_MS, max: 400 * DAY_MS });
const seeds = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const policies = fc.oneof(
  fc.record({ at: fc.double({ min: 0.1, max: 0.95, noNaN: true }), beforeMs: fc.constant(null) }),
  fc.record({ at: fc.constant(2 / 3), beforeMs: fc.integer({ min: 1_000, max: 500 * DAY_MS }) }),
);

describe("when it is due", () => {
  it("is after it was made and before it ends, whatever the policy", () => {
    fc.assert(
      fc.property(lives, seeds, policies, (lifeMs, seed, policy) => {
        const due = dueAtMs({ madeAtMs: 0, expiresAtMs: lifeMs }, policy, seed);
        expect(due).toBeGreaterThan(lifeMs * 0.08);
        expect(due).toBeLessThan(lifeMs * 0.96);
      }),
    );
  });

  it("is two thirds of its life, less at most a tenth of that", () => {
    const due = (seed: number) =>
      dueAtMs({ madeAtMs: 0, expiresAtMs: 3 * HOUR_MS }, DEFAULT_RENEW_POLICY, seed);
    expect(due(0)).toBe(2 * HOUR_MS);
    expect(due(0.999)).toBeGreaterThan(1.8 * HOUR_MS);
  });

  it("is so long before its end where the policy says so", () => {
    const policy = { at: 2 / 3, beforeMs: 10 * MINUTE_MS };
    expect(dueAtMs({ madeAtMs: 0, expiresAtMs: HOUR_MS }, policy, 0)).toBe(50 * MINUTE_MS);
    expect(dueAtMs({ madeAtMs: 0, expiresAtMs: 5 * MINUTE_MS }, policy, 0)).toBe(0.5 * MINUTE_MS);
  });
});

describe("the backoff", () => {
  it(`tries at least ${LEAST_TRIES} times before it ends, however often it fails`, () => {
    fc.assert(
      fc.property(lives, seeds, policies, (lifeMs, seed, policy) => {
        const due = dueAtMs({ madeAtMs: 0, expiresAtMs: lifeMs }, policy, seed);
        let tries = 0;
        for (let nowMs = due; nowMs < lifeMs && tries < 1_000; ) {
          tries += 1;
          const next = retryAtMs({ nowMs, dueAtMs: due, expiresAtMs: lifeMs, failures: tries }, seed);
          expect(next).toBeGreaterThan(nowMs);
          nowMs = next;
        }
        expect(tries).toBeGreaterThanOrEqual(LEAST_TRIES / 2);
        if (lifeMs - due > 5 * MINUTE_MS) expect(tries).toBeGreaterThanOrEqual(LEAST_TRIES);
      }),
    );
  });

  it("finds a provider that is back within five minutes, and within one when the token has ended", () => {
    fc.assert(
      fc.property(
        lives,
        seeds,
        fc.integer({ min: 1, max: 10_000 }),
        fc.boolean(),
        (lifeMs, seed, failures, ended) => {
          const nowMs = ended ? lifeMs + 1 : lifeMs / 2;
          const next = retryAtMs({ nowMs, dueAtMs: lifeMs / 2, expiresAtMs: lifeMs, failures }, seed);
          expect(next - nowMs).toBeLessThanOrEqual(ended ? MINUTE_MS : 5 * MINUTE_MS);
        },
      ),
    );
  });
});

describe("what a person is told", () => {
  it("escalates only, and says that it has expired whatever else", () => {
    fc.assert(
      fc.property(lives, fc.integer({ min: 0, max: 30 }), (lifeMs, failures) => {
        let last: RenewalLevel | null = null;
        for (let step = 0; step <= 40; step += 1) {
          const level: RenewalLevel | null = levelOf({
            nowMs: (lifeMs * step) / 38,
            dueAtMs: lifeMs * (2 / 3),
            expiresAtMs: lifeMs,
            failures,
          });
          if (last !== null)
            expect(level === last || (level !== null && isEscalation(level, last))).toBe(true);
          last = level;
        }
        expect(last).toBe("expired");
      }),
    );
    expect(levelOf({ nowMs: 70, dueAtMs: 66, expiresAtMs: 100, failures: 0 })).toBeNull();
    expect(levelOf({ nowMs: 70, dueAtMs: 66, expiresAtMs: 100, failures: 1 })).toBeNull();
  });
});

describe("a token that arrives", () => {
  const value = SecretValue.of("token");
  const at = { askedAtMs: 1_000_000, nowMs: 1_010_000, slowest: null };

  it("lives from the begin of its request", () => {
    expect(acceptToken({ value, life: { kind: "for", ms: HOUR_MS } }, at)).toEqual({
      expiresAtMs: 1_000_000 + HOUR_MS,
    });
  });

  it.each([
    ["had ended by our own count", { kind: "for", ms: 9_000 } as const, "ISSUER_ANSWER"],
    ["had ended, by more than clocks differ", { kind: "until", ms: 940_000 } as const, "ISSUER_ANSWER"],
    ["ends at no instant", { kind: "until", ms: Number.NaN } as const, "ISSUER_ANSWER"],
  ])("is refused when it %s", (_why, life, code) => {
    expect(() => acceptToken({ value, life }, at)).toThrowError(expect.objectContaining({ code }) as Error);
  });

  it("is taken when another clock is a little behind", () => {
    expect(acceptToken({ value, life: { kind: "until", ms: 1_000_000 } }, at)).toEqual({
      expiresAtMs: 1_000_000,
    });
  });

  const jwt = (claims: object) =>
    SecretValue.of(`e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`);

  it.each([
    ["alone", null, { exp: 1_600 }, 1_600_000],
    ["in milliseconds", null, { exp: 1_800_000_000_000, iat: 1_799_999_999_000 }, 1_001_000],
    ["sooner than was said", { kind: "for", ms: HOUR_MS } as const, { exp: 1_600 }, 1_600_000],
    ["later than was said", { kind: "for", ms: MINUTE_MS } as const, { exp: 9_999 }, 1_060_000],
    [
      "sooner than the instant that was said",
      { kind: "until", ms: 5_000_000 } as const,
      { exp: 1_600 },
      1_600_000,
    ],
    ["of a clock that is ahead of ours", null, { iat: 11_000, exp: 11_600 }, 1_600_000],
    ["without an end", null, { sub: "x" }, null],
    ["as no number", null, { exp: "soon" }, null],
  ])("ends when it says so itself, %s", (_how, life, claims, expiresAtMs) => {
    expect(acceptToken({ value: jwt(claims), life }, at)).toEqual({ expiresAtMs });
  });

  it.each([
    [
      "has an end of its own that is past",
      { value: jwt({ exp: 900 }), life: { kind: "for", ms: HOUR_MS } },
      "had ended",
    ],
    [
      "would live more than ten years",
      { value, life: { kind: "for", ms: 3_661 * DAY_MS } },
      "more than ten years",
    ],
    [
      "ends in more than ten years",
      { value: jwt({ exp: 9_999_999_999 }), life: null },
      "more than ten years",
    ],
    [
      "has a life that nobody can read",
      { value, life: { kind: "unreadable", why: "it lives no time" } },
      "it lives no time",
    ],
    ["begins with a space", { value: SecretValue.of(" x"), life: null }, "space"],
    ["begins with a byte order mark", { value: SecretValue.of("\uFEFFx"), life: null }, "no line of text"],
  ] as const)("is refused in words when it %s", (_why, issued, words) => {
    expect(() => acceptToken(issued, at)).toThrowError(
      expect.objectContaining({ code: "ISSUER_ANSWER", message: expect.stringContaining(words) }) as Error,
    );
  });

  it("is taken with any text for a payload", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/), (text) => {
        expect(acceptToken({ value: SecretValue.of(text), life: null }, at)).toEqual({ expiresAtMs: null });
      }),
    );
  });

  it.each(["", "two\nlines", "x".repeat(70_000), "\ud800"])("is refused as no line of text", (text) => {
    expect(() => acceptToken({ value: SecretValue.of(text), life: null }, at)).toThrowError(
      expect.objectContaining({ code: "ISSUER_ANSWER" }) as Error,
    );
  });

  it("must live ten times as long as its slowest place takes", () => {
    const slowest = { unit: "api", ms: 2 * MINUTE_MS };
    const life = (ms: number) => ({ kind: "for", ms }) as const;
    expect(() => acceptToken({ value, life: life(20 * MINUTE_MS - 1) }, { ...at, slowest })).toThrowError(
      expect.objectContaining({ code: "RENEWAL_LIFE_SHORT" }) as Error,
    );
    expect(acceptToken({ value, life: life(20 * MINUTE_MS) }, { ...at, slowest }).expiresAtMs).not.toBeNull();
  });
});

const IDLE: RenewalState = {
  made: null,
  attempt: null,
  singleUse: null,
  rotates: false,
  refusals: 0,
  isTaken: false,
  notBeforeMs: null,
  failures: 0,
  failed: null,
  lostAtMs: null,
  issue: null,
};

const POLICY = { renew: DEFAULT_RENEW_POLICY, issue: { stored: {} } };

describe("a simulated year", () => {
  /** Outages as [begin, length] in ms; a place takes `bringMs` to use a new token. Answers the moments without a valid one. */
  function year(
    lifeMs: number,
    outages: readonly (readonly [number, number])[],
    bringMs: number,
    seed: number,
  ) {
    let state = IDLE;
    let newest: { version: number; madeAtMs: number; expiresAtMs: number } | null = null;
    let held: { untilMs: number; fromMs: number }[] = [];
    let level: RenewalLevel | null = null;
    const told: RenewalLevel[][] = [[]];
    let issues = 0;
    let gapMs = 0;
    const isDown = (ms: number) => outages.some(([begin, length]) => ms >= begin && ms < begin + length);
    for (let nowMs = 0; nowMs < 365 * DAY_MS; ) {
      const moment = { nowMs, seed };
      const now = levelNow({ newest, state, policy: POLICY }, moment);
      if (now !== null && isEscalation(now, level)) {
        level = now;
        told.at(-1)?.push(now);
      }
      const verdict = decide({ newest, singleUseCurrent: null, state, policy: POLICY }, moment);
      if (verdict.act === "wait") {
        // An expiry is told in time, whenever the next try is.
        const ends: number =
          newest !== null && newest.expiresAtMs > nowMs ? newest.expiresAtMs : Number.POSITIVE_INFINITY;
        nowMs = Math.min(verdict.untilMs ?? 365 * DAY_MS, ends);
        continue;
      }
      if (isDown(nowMs)) {
        const failures: number = state.failures + 1;
        const expiresAtMs = newest?.expiresAtMs ?? nowMs + HOUR_MS;
        const due = newest === null ? nowMs : dueAtMs(newest, DEFAULT_RENEW_POLICY, seed);
        state = {
          ...IDLE,
          failures,
          notBeforeMs: retryAtMs({ nowMs, dueAtMs: due, expiresAtMs, failures }, seed),
        };
        continue;
      }
      issues += 1;
      newest = { version: issues, madeAtMs: nowMs, expiresAtMs: nowMs + lifeMs };
      state = IDLE;
      if (level !== null) told.push([]);
      level = null;
      held = [...held.slice(-1), { fromMs: nowMs + bringMs, untilMs: nowMs + lifeMs }];
      const [before, after] = held;
      if (before !== undefined && after !== undefined) gapMs += Math.max(0, after.fromMs - before.untilMs);
    }
    return { issues, gapMs, told };
  }

  it("never leaves a caller without a valid token while no outage is longer than what is left of a life", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10 * MINUTE_MS, max: 60 * DAY_MS }),
        fc.array(
          fc.tuple(
            fc.integer({ min: DAY_MS, max: 364 * DAY_MS }),
            fc.double({ min: 0.1, max: 0.7, noNaN: true }),
          ),
          {
            maxLength: 20,
          },
        ),
        seeds,
        (lifeMs, parts, seed) => {
          // Apart from each other: two outages in one life are one long one.
          const outages = parts
            .map(([begin, part]) => [begin, (part * lifeMs) / 3] as const)
            .sort(([left], [right]) => left - right)
            .filter(([begin], index, all) => index === 0 || begin - (all[index - 1]?.[0] ?? 0) > 2 * lifeMs);
          const { issues, gapMs, told } = year(lifeMs, outages, lifeMs / 100, seed);
          expect(gapMs).toBe(0);
          expect(issues).toBeGreaterThanOrEqual(Math.floor((365 * DAY_MS) / lifeMs));
          for (const levels of told) {
            expect(levels).not.toContain("expired");
            expect([...levels].sort((a, b) => RENEWAL_LEVELS.indexOf(a) - RENEWAL_LEVELS.indexOf(b))).toEqual(
              levels,
            );
            expect(new Set(levels).size).toBe(levels.length);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("a control: an outage longer than a life is seen as a gap, and told to its end", () => {
    const { gapMs, told } = year(HOUR_MS, [[30 * DAY_MS, 2 * HOUR_MS]], 0, 0.5);
    expect(gapMs).toBeGreaterThan(HOUR_MS);
    expect(told.filter((levels) => levels.length > 0)).toEqual([
      ["failing", "urgent", "critical", "expired"],
    ]);
  });
});
