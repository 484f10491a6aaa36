/** The own token over its whole life: one log-in for all, renewed in time, replaced at its limit, and told before it ends. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createVault, type OpenVault } from "../../src/adapters/vault/create-vault.ts";
import { OWN_TOKEN_RIGHTS, policyText } from "../../src/adapters/vault/rights.ts";
import type { VaultCredential } from "../../src/adapters/vault/vault.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { type AppRoleHandle, startVault, type VaultDouble } from "../../src/simulator/vault/vault.ts";
import { SteppedClock } from "./stepped-clock.ts";

const HOUR_MS = 3_600_000;
const LOGIN = "auth/approle/login";
const RENEW = "auth/token/renew-self";
const LOOKUP = "auth/token/lookup-self";
const READ = { method: "GET", path: ["secret", "data", "a"], writes: false, absentIsAnswer: true } as const;

let clock: SteppedClock;
let double: VaultDouble;
const open: OpenVault[] = [];
let learned: string[];
let directory: string;
const signal = new AbortController().signal;

beforeEach(async () => {
  learned = [];
  directory = mkdtempSync(join(tmpdir(), "vault-token-"));
  clock = new SteppedClock({ ringsBelowMs: 700 });
  double = await startVault({ clock: clock.dates });
  double.mount("kv-v2", "secret");
  double.policy("app", 'path "secret/data/*" { capabilities = ["create", "read", "update"] }');
});
afterEach(async () => {
  for (const vault of open.splice(0)) vault.close();
  rmSync(directory, { recursive: true });
  await double.stop();
});

function vaultWith(credential: VaultCredential): OpenVault {
  const vault = createVault({
    server: { address: double.address, namespace: null, caCertificate: null },
    credential,
    clock,
    random: () => 0,
    onSecret: (secret) => void learned.push(secret.reveal()),
  });
  open.push(vault);
  return vault;
}
const withToken = (token: string): OpenVault => vaultWith({ kind: "token", token: SecretValue.of(token) });
function withFile(token: string): OpenVault {
  const path = join(directory, "token");
  writeFileSync(path, token, { mode: 0o600 });
  return vaultWith({ kind: "token-file", path });
}
const appRole = (settings: object): AppRoleHandle =>
  double.approle("lockstep", { token_policies: ["app"], ...settings });
const withRole = (role: AppRoleHandle): OpenVault =>
  vaultWith({
    kind: "approle",
    mount: role.mount,
    roleId: SecretValue.of(role.roleId),
    secretId: { kind: "plain", secretId: SecretValue.of(role.secretId()) },
  });
const count = (path: string): number => double.calls.list({ path }).length;
/** Rings the next timer, and waits until what it began has set the next one. */
const step = async (): Promise<number> => {
  const movedMs = clock.ring();
  await clock.armed();
  return movedMs;
};

describe("a log-in by AppRole", () => {
  it("is one, however many ask", async () => {
    const vault = withRole(appRole({ token_ttl: "1h" }));
    expect(vault.health.state).toBe("unused");
    await Promise.all(Array.from({ length: 10 }, () => vault.call(READ, signal)));
    expect(count(LOGIN)).toBe(1);
    // For whoever hides credentials from a log.
    expect(learned).toEqual([expect.stringMatching(/^hvs\./)]);
    expect(vault.health).toMatchObject({ state: "good", endsForGoodAt: null, failure: null });
    expect(vault.health.endsAt?.getTime()).toBe(clock.nowMs + HOUR_MS);
    expect(double.offences).toEqual([]);
  });

  it("is renewed at two thirds of what was granted, and made anew at the limit", async () => {
    const vault = withRole(appRole({ token_ttl: "1h", token_max_ttl: "3h" }));
    await vault.call(READ, signal);
    const moved = [];
    while (count(LOGIN) === 1) moved.push(await step());
    // 40 minutes each, until the third answer is shorter than what was asked for.
    expect(moved.map((ms) => Math.round(ms / 60_000))).toEqual([40, 40, 40, 40]);
    expect(count(RENEW)).toBe(4);
    expect(count(LOGIN)).toBe(2);
    expect(vault.health.endsAt?.getTime()).toBe(clock.nowMs + HOUR_MS);
    await vault.call(READ, signal);
    expect(double.offences).toEqual([]);
  });

  it("is never asked about by a timer longer than a timer can be, nor in a hot loop", async () => {
    const vault = withRole(appRole({ token_ttl: "768h" }));
    await vault.call(READ, signal);
    let movedMs = 0;
    while (count(RENEW) === 0 && count(LOGIN) === 1) movedMs += await step();
    expect(movedMs).toBe(512 * HOUR_MS);
    expect(clock.longestMs).toBeLessThanOrEqual(24 * HOUR_MS);
  });

  it("is tried again at least five times before the token ends, and told meanwhile", async () => {
    const vault = withRole(appRole({ token_ttl: "1h" }));
    await vault.call(READ, signal);
    const endsAtMs = clock.nowMs + HOUR_MS;
    double.fault({ path: RENEW, times: 5 }, { kind: "sealed" });
    for (let tries = 0; tries < 5; tries += 1) await step();
    expect(vault.health).toMatchObject({ state: "failing", failure: { verdict: "later" } });
    expect(count(RENEW)).toBe(5);
    await vault.call(READ, signal);
    await step();
    expect(clock.nowMs).toBeLessThan(endsAtMs);
    expect(vault.health.state).toBe("good");
    expect(count(LOGIN)).toBe(1);
  });

  it("outlasts maintenance of half an hour, which ends its token, and goes on by itself afterwards", async () => {
    const vault = withRole(appRole({ token_ttl: "20m" }));
    await vault.call(READ, signal);
    const overAtMs = clock.nowMs + HOUR_MS / 2;
    const closed = double.fault({ times: "always" }, { kind: "sealed" });
    let asked = 0;
    while (clock.nowMs < overAtMs) {
      await expect(vault.call(READ, signal)).rejects.toMatchObject({ verdict: "later" });
      asked += 1;
      clock.nowMs += 60_000;
      while (clock.due) clock.ring();
    }
    expect(asked).toBeGreaterThanOrEqual(20);
    // Nobody is asked in a hot loop meanwhile.
    expect(closed.hits).toBeLessThan(40 * asked);
    closed.remove();
    await vault.call(READ, signal);
    expect(vault.health).toMatchObject({ state: "good", failure: null });
    expect(vault.health.endsAt?.getTime()).toBe(clock.nowMs + HOUR_MS / 3);
  });

  it("that never got through to renewal is made anew by whoever asks next", async () => {
    const vault = withRole(appRole({ token_ttl: "1h" }));
    await vault.call(READ, signal);
    double.fault({ path: RENEW, times: "always" }, { kind: "sealed" });
    while (clock.timers > 0) {
      const renewals = count(RENEW);
      clock.ring();
      await double.calls.answered(renewals + 1, { path: RENEW });
      // What follows an answer has followed it once another request is answered.
      await vault.call(READ, signal);
    }
    clock.nowMs += HOUR_MS;
    await vault.call(READ, signal);
    expect(count(LOGIN)).toBe(2);
  });

  it("of a batch token is not renewed, but made anew", async () => {
    const vault = withRole(appRole({ token_ttl: "1h", token_type: "batch" }));
    await vault.call(READ, signal);
    expect(Math.round((await step()) / 60_000)).toBe(40);
    expect([count(LOGIN), count(RENEW)]).toEqual([2, 0]);
  });

  it("of a role that is gone fails, and is a person's to mend", async () => {
    const role = appRole({ token_ttl: "1h" });
    const vault = withRole(role);
    await vault.call(READ, signal);
    role.removeRole();
    await step();
    expect(vault.health).toMatchObject({ state: "refused", failure: { verdict: "login" } });
    await vault.call(READ, signal);
  });

  it("whose token is good for few requests is made anew before it is used up", async () => {
    const vault = withRole(appRole({ token_ttl: "1h", token_num_uses: 3 }));
    for (let asked = 0; asked < 7; asked += 1) await vault.call(READ, signal);
    expect(count(LOGIN)).toBe(3);
    expect(double.offences).toEqual([]);
  });
});

describe("a token that was revoked", () => {
  it("is asked about once, and replaced once, however many were refused", async () => {
    const vault = withRole(appRole({ token_ttl: "1h" }));
    let token = "";
    const seen = double.fault(
      {
        when: ({ headers }) => {
          token = String(headers["x-vault-token"]);
          return false;
        },
      },
      { kind: "sealed" },
    );
    await vault.call(READ, signal);
    seen.remove();
    double.revoke(token);
    double.calls.clear();
    clock.nowMs += 10_000;
    await Promise.all(Array.from({ length: 10 }, () => vault.call(READ, signal)));
    expect([count(LOOKUP), count(LOGIN)]).toEqual([1, 1]);
  });

  it("is told apart from a policy, for which nobody logs in", async () => {
    const vault = withRole(appRole({ token_ttl: "1h" }));
    const forbidden = { method: "GET", path: ["secret", "metadata", "a"], writes: false } as const;
    await expect(vault.call(forbidden, signal)).rejects.toMatchObject({ verdict: "permission", status: 403 });
    clock.nowMs += 10_000;
    await expect(vault.call(forbidden, signal)).rejects.toMatchObject({ verdict: "permission" });
    expect([count(LOGIN), count(LOOKUP)]).toEqual([1, 0]);
    // Old servers and balancers say less: then the token itself is asked about.
    double.fault(
      { path: "secret/data/a" },
      { kind: "answer", status: 403, body: { errors: ["permission denied"] } },
    );
    await expect(vault.call(READ, signal)).rejects.toMatchObject({ verdict: "permission" });
    expect([count(LOGIN), count(LOOKUP)]).toEqual([1, 1]);
  });

  it("and was given by hand, is a person's to replace; the server is not asked at every call", async () => {
    const token = double.token({ policies: ["app"], ttl: 3_600 });
    const vault = withToken(token);
    await vault.call(READ, signal);
    double.revoke(token);
    clock.nowMs += 10_000;
    const dead = { verdict: "token" };
    await expect(vault.call(READ, signal)).rejects.toMatchObject(dead);
    double.calls.clear();
    await expect(vault.call(READ, signal)).rejects.toMatchObject(dead);
    expect(double.calls.list()).toHaveLength(0);
    expect(vault.health.state).toBe("refused");
    clock.nowMs += 5_001;
    await expect(vault.call(READ, signal)).rejects.toMatchObject(dead);
    expect(count(LOOKUP)).toBe(1);
  });
});

describe("a token that was given", () => {
  it("is renewed for as long as it was made for, and its end for good is known before it comes", async () => {
    const begunMs = clock.nowMs;
    const vault = withToken(double.token({ policies: ["app"], ttl: 3_600, explicitMaxSeconds: 7_200 }));
    await vault.call(READ, signal);
    expect(vault.health.endsForGoodAt?.getTime()).toBe(begunMs + 2 * HOUR_MS);
    expect((await vault.lookupSelf(signal)).endsForGoodAt?.getTime()).toBe(begunMs + 2 * HOUR_MS);
    await step();
    await step();
    const [renewal] = double.calls.list({ path: RENEW });
    expect(JSON.parse(double.calls.unsafeBody(renewal?.seq ?? 0))).toEqual({ increment: "3600s" });
    expect(vault.health.endsAt?.getTime()).toBe(begunMs + 2 * HOUR_MS);
  });

  it.each([
    ["as it is", (token: string) => withToken(token)],
    ["in a file", (token: string) => withFile(token)],
  ])(
    "%s, and may not be renewed: that is told until it ends, and tried a few times",
    async (_how, withIt) => {
      double.policy("looks", policyText([OWN_TOKEN_RIGHTS.lookup]));
      const vault = withIt(double.token({ policies: ["app", "looks"], ttl: 3_600, noDefaultPolicy: true }));
      await vault.call(READ, signal);
      const endsAtMs = clock.nowMs + HOUR_MS;
      for (let tries = 0; tries < 4; tries += 1) {
        await step();
        expect(vault.health).toMatchObject({
          state: "failing",
          isHeld: true,
          failure: { verdict: "permission" },
        });
      }
      expect(Math.abs((vault.health.endsAt?.getTime() ?? 0) - endsAtMs)).toBeLessThan(1_000);
      // No hot loop: each try is a good part of what is left away from the one before.
      expect(clock.nowMs).toBeGreaterThan(endsAtMs - HOUR_MS / 3 + 4);
      expect(count(RENEW)).toBeGreaterThanOrEqual(4);
    },
  );

  it("in a file, and cannot be renewed beyond a limit: its end for good stays known", async () => {
    const vault = withFile(double.token({ policies: ["app"], ttl: 3_600, explicitMaxSeconds: 7_200 }));
    await vault.call(READ, signal);
    const { madeAt, endsForGoodAt } = vault.health;
    expect(madeAt?.getTime()).toBe(clock.nowMs);
    for (let tries = 0; tries < 4; tries += 1) await step();
    expect(vault.health).toMatchObject({ state: "good", madeAt, endsForGoodAt });
  });

  it("for a number of uses tells how many are left", async () => {
    const vault = withToken(double.token({ policies: ["app"], ttl: 3_600, usesLeft: 9 }));
    await vault.call(READ, signal);
    const { usesLeft } = vault.health;
    expect(usesLeft).toBeLessThan(9);
    await vault.call(READ, signal);
    expect(vault.health.usesLeft).toBe((usesLeft ?? 0) - 1);
  });

  it("with a period is renewed for ever", async () => {
    const vault = withToken(double.token({ policies: ["app"], ttl: 3_600, periodSeconds: 3_600 }));
    await vault.call(READ, signal);
    expect(await vault.lookupSelf(signal)).toMatchObject({
      kind: "periodic",
      endsForGoodAt: null,
      renewable: true,
    });
    for (let times = 0; times < 50; times += 1) await step();
    expect(vault.health).toMatchObject({ state: "good", endsForGoodAt: null });
    expect(count(RENEW)).toBe(50);
  });

  it.each([
    ["root", () => double.rootToken, { kind: "root", endsAt: null, endsForGoodAt: null }],
    [
      "batch",
      () => double.token({ policies: ["app"], ttl: 3_600, kind: "batch" }),
      { kind: "batch", renewable: false },
    ],
    [
      "not renewable",
      () => double.token({ policies: ["app"], ttl: 3_600, renewable: false }),
      { renewable: false },
    ],
  ] as const)("and is %s, is left as it is", async (_what, token, expected) => {
    const vault = withToken(token());
    await vault.call(READ, signal);
    expect(clock.timers).toBe(0);
    const told = await vault.lookupSelf(signal);
    expect(told).toMatchObject(expected);
    expect(vault.health.endsForGoodAt).toEqual(told.endsForGoodAt);
  });

  it("and may not ask about itself, is used until it is refused", async () => {
    const vault = withToken(double.token({ policies: ["app"], ttl: 3_600, noDefaultPolicy: true }));
    await vault.call(READ, signal);
    expect(vault.health).toMatchObject({ state: "good", endsAt: null });
  });
});

describe("a new token that another node does not know yet", () => {
  it("is tried up to three times", async () => {
    double.newTokensUnknownFor(2);
    await withRole(appRole({ token_ttl: "1h" })).call(READ, signal);
    expect([count(LOGIN), count("secret/data/a")]).toEqual([1, 3]);
  });

  it("also where its check failed", async () => {
    double.fault({ path: "secret/data/a", times: 2 }, { kind: "token-unknown", form: "check-failed" });
    await withRole(appRole({ token_ttl: "1h" })).call(READ, signal);
    expect(count(LOGIN)).toBe(1);
  });

  it("and not for ever", async () => {
    double.fault({ path: "secret/data/a", times: "always" }, { kind: "token-unknown" });
    const vault = withRole(appRole({ token_ttl: "1h" }));
    await expect(vault.call(READ, signal)).rejects.toMatchObject({ status: 403 });
    expect(count("secret/data/a")).toBeLessThanOrEqual(6);
  });
});

it("after it was closed nothing rings, and what is asked logs in anew", async () => {
  const vault = withRole(appRole({ token_ttl: "1h" }));
  await vault.call(READ, signal);
  vault.close();
  expect(clock.timers).toBe(0);
  await vault.call(READ, signal);
  expect(count(LOGIN)).toBe(2);
});
