import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alertableOf } from "../../../src/core/alerts/alertable.ts";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import type { DoctorFacts } from "../../../src/core/doctor/facts.ts";
import { toldBeforeMs } from "../../../src/core/ends-soon.ts";
import type { VaultLogIn, VaultTokenHealth } from "../../../src/core/ports/vault-token.ts";
import { factsOf, NOW } from "./build.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (ms: number): Date => new Date(NOW.getTime() + ms);
const RING = {
  name: "vault-transit transit/lockstep",
  away: null,
  oldestNeeded: 1,
  oldestOpened: 1,
  risks: [],
} as const;
const WELL: VaultTokenHealth = {
  logIn: { kind: "token" },
  keeps: ["the key ring vault-transit transit/lockstep", "the value store secret/lockstep"],
  state: "good",
  isHeld: true,
  madeAt: at(-DAY_MS),
  endsAt: at(HOUR_MS),
  endsForGoodAt: null,
  usesLeft: null,
  failure: null,
};
const REFUSED = {
  state: "refused",
  failure: { reason: "the token is not accepted", hint: null },
} as const;
const FAILING = { state: "failing", failure: { reason: "it is sealed", hint: null } } as const;

const findings = (token: Partial<VaultTokenHealth>, itself: Partial<DoctorFacts> = {}) =>
  diagnose(factsOf({ bindings: [], itself: { vaultToken: { ...WELL, ...token }, ...itself } }));
const ids = (...told: Parameters<typeof findings>) => findings(...told).map(({ id }) => id);

describe("what doctor says of the token for Vault", () => {
  it("nothing while it is good, was never used, or where no server is named", () => {
    expect(ids({})).toEqual([]);
    expect(ids({ state: "unused", isHeld: false, endsAt: null })).toEqual([]);
    expect(ids({}, { vaultToken: null })).toEqual([]);
  });

  it.each<[VaultLogIn, RegExp]>([
    [{ kind: "token" }, /vault token create -orphan -period=24h .*LOCKSTEP_VAULT_TOKEN and start/],
    [{ kind: "token-file" }, /into the file that LOCKSTEP_VAULT_TOKEN_FILE names.*without a restart/],
    [
      { kind: "secret-id", mount: "team" },
      /auth\/team\/role\/ROLE\/secret-id.*LOCKSTEP_VAULT_SECRET_ID and start/,
    ],
    [{ kind: "secret-id-file", mount: "approle" }, /LOCKSTEP_VAULT_SECRET_ID_FILE names.*without a restart/],
    [{ kind: "wrapped-secret-id", mount: "approle" }, /-wrap-ttl=10m.*LOCKSTEP_VAULT_WRAPPED_SECRET_ID/],
  ])("a refused log-in by %j, and what a person does about it", (logIn, remedy) => {
    const [one, ...others] = findings({ ...REFUSED, logIn, isHeld: false, endsAt: null });
    expect(others).toEqual([]);
    expect(one).toMatchObject({ id: "vault-log-in-refused", severity: "wrong" });
    expect(one?.cause).toMatch(/^The token is not accepted\. A person must act: /);
    expect(one?.cause).toMatch(remedy);
    expect(one?.consequence.join()).toMatch(/the key ring .* and the value store secret\/lockstep/);
  });

  it("a refused log-in while a token is still held tells until when that serves", () => {
    const [one] = findings(REFUSED);
    expect(one?.what).toMatch(/ends in 60 m.*2026-03-01T13:00:00.000Z/);
    expect(one?.consequence.join()).toMatch(/^From then on/);
  });

  it("a refused log-in once: what is away for it says it, with the remedy of the credential", () => {
    const refused = {
      ...REFUSED,
      isHeld: false,
      endsAt: null,
      logIn: { kind: "secret-id-file", mount: "a" },
    } as const;
    const [ring, ...others] = findings(refused, {
      keyRings: [{ ...RING, away: { since: NOW, message: "Cannot seal.", hint: "the general hint" } }],
    });
    expect(others).toEqual([]);
    expect(ring).toMatchObject({
      id: "key-ring-away",
      cause: expect.stringContaining("LOCKSTEP_VAULT_SECRET_ID_FILE"),
    });
    expect(ring?.cause).not.toContain("the general hint");
    const values = { troubled: [], owed: { count: 0, errorCode: null }, strangers: 0, unknownStore: 0 };
    const [store, ...more] = findings(refused, {
      values: { ...values, away: { since: NOW, reason: "Cannot read." } },
    });
    expect(more).toEqual([]);
    expect(store).toMatchObject({
      id: "value-store-away",
      cause: expect.stringContaining("LOCKSTEP_VAULT_SECRET_ID_FILE"),
    });
  });

  it("a renewal that fails, with its end and what mends it, and not while the server is away anyway", () => {
    const failing = { ...FAILING, failure: { reason: "it may not", hint: "Give it this right." } };
    const [one, ...others] = findings(failing);
    expect(others).toEqual([]);
    expect(one).toMatchObject({ id: "vault-token-not-renewed", severity: "wrong" });
    expect(one?.what).toContain(at(HOUR_MS).toISOString());
    expect(one?.cause).toMatch(/^It may not\. .* Give it this right\./);
    const away = { ...RING, away: { since: NOW, message: "It is sealed.", hint: "Unseal it." } };
    expect(ids(FAILING, { keyRings: [away] })).toEqual(["key-ring-away"]);
    expect(ids({ ...FAILING, isHeld: false, endsAt: null })).toEqual([]);
  });

  it.each([
    ["a year", 365 * DAY_MS, 7 * DAY_MS],
    ["30 days", 30 * DAY_MS, 3 * DAY_MS],
    ["three days", 3 * DAY_MS, 25 * HOUR_MS],
  ])("an end for good of a token for %s from its last tenth on", (_life, lifeMs, beforeMs) => {
    const told = (leftMs: number) => ids({ madeAt: at(leftMs - lifeMs), endsForGoodAt: at(leftMs) });
    expect(told(beforeMs + 1)).toEqual([]);
    expect(told(beforeMs)).toEqual(["vault-token-ends"]);
  });

  it("an end for good of a token of which nobody knows the age, a week before", () => {
    expect(ids({ madeAt: null, endsForGoodAt: at(7 * DAY_MS) })).toEqual(["vault-token-ends"]);
    expect(ids({ madeAt: null, endsForGoodAt: at(7 * DAY_MS + 1) })).toEqual([]);
  });

  it("of a file that some program fills each day, the last tenth alone", () => {
    const told = (leftMs: number) =>
      ids({
        logIn: { kind: "token-file" },
        madeAt: at(leftMs - DAY_MS),
        endsForGoodAt: at(leftMs),
      });
    expect(told(0.1 * DAY_MS + 1)).toEqual([]);
    expect(told(0.1 * DAY_MS)).toEqual(["vault-token-ends"]);
  });

  it("a limit of uses, but of no role's token", () => {
    expect(findings({ usesLeft: 1 })[0]?.what).toContain("after one more use");
    expect(ids({ usesLeft: 12 })).toEqual(["vault-token-uses-end"]);
    expect(ids({ usesLeft: 12, logIn: { kind: "secret-id", mount: "approle" } })).toEqual([]);
  });

  it("each wakes a person; a renewal that fails only after a while", () => {
    const holds = [
      findings(REFUSED),
      findings({ endsForGoodAt: at(HOUR_MS) }),
      findings({ usesLeft: 3 }),
      findings(FAILING),
    ].map((found) => found.flatMap(alertableOf).map(({ holdMs }) => holdMs));
    expect(holds).toEqual([[0], [0], [0], [120_000]]);
  });

  it("tells at least 25 hours and at most a week before", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000 }), (days) => {
        const beforeMs = toldBeforeMs(at(0), at(-days * DAY_MS));
        expect(beforeMs).toBeGreaterThanOrEqual(25 * HOUR_MS);
        expect(beforeMs).toBeLessThanOrEqual(7 * DAY_MS);
      }),
    );
  });
});
