/** Who we are, shown to a server: files that are replaced, secret ids for one use, wrapping, and what a refusal says. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { createVault, type OpenVault } from "../../src/adapters/vault/create-vault.ts";
import type { VaultFailure } from "../../src/adapters/vault/failure.ts";
import type { VaultCredential } from "../../src/adapters/vault/vault.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { type AppRoleHandle, startVault, type VaultDouble } from "../../src/simulator/vault/vault.ts";
import { SteppedClock } from "./stepped-clock.ts";

const LOGIN = "auth/approle/login";
const UNWRAP = "sys/wrapping/unwrap";
const READ = { method: "GET", path: ["secret", "data", "a"], writes: false, absentIsAnswer: true } as const;

let clock: SteppedClock;
let double: VaultDouble;
let role: AppRoleHandle;
const open: OpenVault[] = [];
const signal = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), "lockstep-vault-log-in-"));
const file = join(directory, "credential");
const put = (content: string, mode = 0o600): void => {
  rmSync(file, { force: true });
  writeFileSync(file, content, { mode });
};

beforeEach(async () => {
  clock = new SteppedClock({ ringsBelowMs: 700 });
  double = await startVault({ clock: clock.dates });
  double.mount("kv-v2", "secret");
  double.policy("app", 'path "secret/data/*" { capabilities = ["read"] }');
  role = double.approle("lockstep", { token_policies: ["app"], token_ttl: "1h" });
});
afterEach(async () => {
  for (const vault of open.splice(0)) vault.close();
  await double.stop();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function vaultWith(credential: VaultCredential, namespace: string | null = null): OpenVault {
  const server = { address: double.address, namespace, caCertificate: null };
  const vault = createVault({ server, credential, clock, random: () => 0 });
  open.push(vault);
  return vault;
}
type SecretId = Extract<VaultCredential, { kind: "approle" }>["secretId"];
const withSecretId = (secretId: SecretId, mount = role.mount): OpenVault =>
  vaultWith({ kind: "approle", mount, roleId: SecretValue.of(role.roleId), secretId });
const plain = (secretId: string): OpenVault =>
  withSecretId({ kind: "plain", secretId: SecretValue.of(secretId) });
const count = (path: string): number => double.calls.list({ path }).length;
const refusal = async (vault: OpenVault): Promise<VaultFailure> =>
  await vault.call(READ, signal).then(
    () => expect.fail("it was not refused"),
    (error: VaultFailure) => error,
  );

describe("a token's file", () => {
  it("is read again when what it held is refused", async () => {
    const first = double.token({ policies: ["app"], ttl: 3_600 });
    put(`${first}\n`);
    const vault = vaultWith({ kind: "token-file", path: file });
    await vault.call(READ, signal);
    double.revoke(first);
    clock.nowMs += 10_000;
    expect(await refusal(vault)).toMatchObject({ verdict: "token" });
    put(double.token({ policies: ["app"], ttl: 3_600 }));
    // At once: what was refused was another.
    await vault.call(READ, signal);
    expect(vault.health.state).toBe("good");
  });

  it("that nobody replaces is read again until its token ends, in no hot loop, and its end is known", async () => {
    const token = double.token({ policies: ["app"], ttl: 3_600, renewable: false });
    const endsAtMs = clock.nowMs + 3_600_000;
    put(token);
    const vault = vaultWith({ kind: "token-file", path: file });
    await vault.call(READ, signal);
    expect(vault.health.endsForGoodAt?.getTime()).toBe(endsAtMs);
    while (clock.timers > 0) {
      const asked = count("auth/token/lookup-self");
      clock.ring();
      await double.calls.answered(asked + 1, { path: "auth/token/lookup-self" });
      await vault.call(READ, signal);
      // The server tells whole seconds.
      expect(Math.abs((vault.health.endsAt?.getTime() ?? 0) - endsAtMs)).toBeLessThan(1_000);
    }
    expect(clock.nowMs).toBeLessThan(endsAtMs);
    expect(count("auth/token/lookup-self")).toBeLessThan(12);
    clock.nowMs = endsAtMs;
    expect(await refusal(vault)).toMatchObject({ verdict: "token" });
  });

  it("whose token is in its last second does not count as one without an end", async () => {
    put("x".repeat(20));
    double.fault(
      { path: "auth/token/lookup-self" },
      {
        kind: "answer",
        status: 200,
        body: { data: { ttl: 0, expire_time: "2030-01-01T00:00:00Z", renewable: false, type: "service" } },
      },
    );
    const vault = vaultWith({ kind: "token-file", path: file });
    await refusal(vault);
    expect(vault.health.endsAt).not.toBeNull();
    expect(clock.timers).toBe(0);
  });

  it.each([
    ["is missing", () => rmSync(file, { force: true }), /does not exist/],
    ["is empty", () => put("\n"), /is empty/],
    ["can be read by others", () => put("x", 0o644), /chmod 600/],
    ["holds no token", () => put("two words"), /spaces/],
  ])("that %s is told by its name, and nothing is asked", async (_what, prepare, reason) => {
    prepare();
    const failure = await refusal(vaultWith({ kind: "token-file", path: file }));
    expect(failure.message).toMatch(reason);
    expect(double.calls.list()).toHaveLength(0);
  });
});

describe("a secret id", () => {
  it("that is refused is not shown again at once: servers lock out who tries too often", async () => {
    const vault = plain("wrong-canary");
    const failure = await refusal(vault);
    expect(failure).toMatchObject({ verdict: "login", status: 400 });
    expect(inspect(failure)).not.toMatch(/wrong-canary/);
    for (let asked = 0; asked < 20; asked += 1) await refusal(vault);
    expect(count(LOGIN)).toBe(1);
    const waits: number[] = [];
    for (let times = 1; times < 10; times += 1) {
      const fromMs = clock.nowMs;
      while (count(LOGIN) === times) {
        clock.nowMs += 1_000;
        await refusal(vault);
      }
      waits.push((clock.nowMs - fromMs) / 1_000);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it("in a file is read at each log-in", async () => {
    put("wrong");
    const vault = withSecretId({ kind: "file", path: file });
    expect(await refusal(vault)).toMatchObject({ verdict: "login" });
    put(role.secretId());
    await vault.call(READ, signal);
  });

  it("for one use is spent by a log-in whose answer was lost, and the refusal says so", async () => {
    const vault = plain(role.secretId({ uses: 1 }));
    double.fault({ path: LOGIN }, { kind: "cut", executed: true });
    const lost = await refusal(vault);
    expect(lost).toMatchObject({ verdict: "later" });
    expect(lost.message).toMatch(/not known whether.*one log-in is spent.*give a new one/);
    const spent = await refusal(vault);
    expect(spent).toMatchObject({ verdict: "login" });
    expect(spent.message).toMatch(/answer was lost: give a new one/);
  });

  it("for many uses survives that by itself", async () => {
    const vault = plain(role.secretId());
    double.fault({ path: LOGIN }, { kind: "audit-blocked", executed: true });
    expect(await refusal(vault)).toMatchObject({ verdict: "later" });
    await vault.call(READ, signal);
  });

  it("is not blamed for a server that is away, or a method that is not there", async () => {
    double.fault({ path: LOGIN }, { kind: "sealed" });
    const vault = plain(role.secretId());
    expect(await refusal(vault)).toMatchObject({ verdict: "later", status: 503 });
    await vault.call(READ, signal);
    const secretId = { kind: "plain", secretId: SecretValue.of(role.secretId()) } as const;
    expect((await refusal(withSecretId(secretId, "nowhere"))).verdict).toMatch(/^(?:mount|login)$/);
  });
});

describe("a wrapped secret id", () => {
  const wrapped = (
    token: string,
    keep: (secretId: SecretValue) => Promise<void>,
    of = "lockstep",
  ): OpenVault => withSecretId({ kind: "wrapped", token: SecretValue.of(token), role: of, keep });

  it("is unwrapped once, and kept before it is used", async () => {
    const kept: { readonly secretId: string; readonly logins: number }[] = [];
    const vault = wrapped(role.wrappedSecretId(), async (secretId) => {
      kept.push({ secretId: secretId.reveal(), logins: count(LOGIN) });
    });
    await Promise.all([vault.call(READ, signal), vault.call(READ, signal)]);
    clock.nowMs += 3_600_000;
    await vault.call(READ, signal);
    expect(kept).toHaveLength(1);
    expect(kept[0]?.logins).toBe(0);
    expect([count(UNWRAP), count(LOGIN)]).toEqual([1, 2]);
    expect(double.offences).toEqual([]);
  });

  it("is kept at the next try where it could not be kept, and not used before", async () => {
    let tries = 0;
    const vault = wrapped(role.wrappedSecretId(), async () => {
      tries += 1;
      if (tries === 1) throw new Error("the store is away");
    });
    await expect(vault.call(READ, signal)).rejects.toThrow("the store is away");
    expect(count(LOGIN)).toBe(0);
    await vault.call(READ, signal);
    expect([tries, count(UNWRAP), count(LOGIN)]).toEqual([2, 1, 1]);
  });

  it("of another role is not touched", async () => {
    const token = role.wrappedSecretId();
    const failure = await refusal(wrapped(token, async () => undefined, "another"));
    expect(failure).toMatchObject({ verdict: "login" });
    expect(failure.message).toMatch(/find out who gave it/);
    expect([count(UNWRAP), count(LOGIN)]).toEqual([0, 0]);
    await wrapped(token, async () => undefined).call(READ, signal);
  });

  it("that somebody else unwrapped is an alarm", async () => {
    const token = role.wrappedSecretId();
    await wrapped(token, async () => undefined).call(READ, signal);
    const failure = await refusal(wrapped(token, async () => undefined));
    expect(failure).toMatchObject({ verdict: "login" });
    expect(failure.message).toMatch(/somebody else unwrapped it/);
  });

  it("whose unwrapping was cut off is not taken for stolen", async () => {
    double.fault({ path: UNWRAP }, { kind: "cut", executed: true });
    const vault = wrapped(role.wrappedSecretId(), async () => undefined);
    expect(await refusal(vault)).toMatchObject({ verdict: "later" });
    const failure = await refusal(vault);
    expect(failure).toMatchObject({ verdict: "login" });
    expect(failure.message).not.toMatch(/somebody else/);
    expect(failure.message).toMatch(/give a new one/);
  });
});

describe("a namespace", () => {
  it("is where everything happens, where the server knows it", async () => {
    await double.stop();
    double = await startVault({ clock: clock.dates, mode: "openbao-2.6" });
    double.namespace("team");
    double.mount("kv-v2", "secret", "team");
    double.policy("app", 'path "secret/data/*" { capabilities = ["read"] }', "team");
    const token = double.token({ policies: ["app"], ttl: 3_600, namespace: "team" });
    const vault = vaultWith({ kind: "token", token: SecretValue.of(token) }, "team");
    await vault.call(READ, signal);
    await vault.call({ method: "GET", path: ["sys", "health"], writes: false }, signal);
    const named = double.calls.list().map(({ path, namespace }) => [path, namespace]);
    expect(named).toContainEqual(["secret/data/a", "team"]);
    expect(named).toContainEqual(["sys/health", null]);
  });

  it("that the server ignores is refused before anything stands elsewhere", async () => {
    const token = double.token({ policies: ["app"], ttl: 3_600 });
    const vault = vaultWith({ kind: "token", token: SecretValue.of(token) }, "team");
    expect(await refusal(vault)).toMatchObject({ verdict: "namespace" });
    expect((await refusal(vault)).message).toMatch(/no namespaces/);
    expect(count("secret/data/a")).toBe(0);
  });
});
