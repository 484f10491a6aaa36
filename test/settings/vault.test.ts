/** The key ring, the value store and the Vault server behind them: read right, or refused in words that hold nothing of them. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toLockstepError } from "../../src/core/errors.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { vaultSecrets } from "../../src/settings/vault.ts";

const CANARY = "canary-7b2e";
const PEM = (
  JSON.parse(readFileSync(new URL("../vectors/outside-tls.json", import.meta.url), "utf8")) as {
    readonly certificatePem: string;
  }
).certificatePem;

let directory: string;
const file = (name: string, content: string, mode = 0o600): string => {
  const at = join(directory, name);
  writeFileSync(at, content);
  chmodSync(at, mode);
  return at;
};
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-vault-settings-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ADDR = { LOCKSTEP_VAULT_ADDR: "https://vault.example.com:8200" };
const TOKEN = { LOCKSTEP_VAULT_TOKEN: CANARY };
const ROLE = { LOCKSTEP_VAULT_ROLE_ID: "role-1" };

describe("without a word of it", () => {
  it("everything is local, whatever VAULT_* says", () => {
    const env = {
      VAULT_ADDR: "https://elsewhere.example.com",
      VAULT_TOKEN: CANARY,
      VAULT_NAMESPACE: "x",
      VAULT_CACERT: "/nowhere",
    };
    expect(readSettings({}, env)).toMatchObject({
      keyRing: "local",
      previousKeyRing: null,
      valueStore: "postgres",
      vault: null,
    });
  });
});

describe("a server", () => {
  it("with a token has defaults for the rest", () => {
    const { vault } = readSettings({}, { ...ADDR, ...TOKEN });
    expect(vault).toMatchObject({
      server: { address: "https://vault.example.com:8200", namespace: null, caCertificate: null },
      credential: { kind: "token" },
      transit: { mount: "transit", key: "lockstep" },
      kv: { mount: "secret", prefix: "lockstep" },
    });
    expect(inspect(vault, { depth: 9 }) + JSON.stringify(vault)).not.toContain(CANARY);
    expect(vault === null ? [] : vaultSecrets(vault).map((one) => one.reveal())).toEqual([CANARY]);
  });

  it("in full", () => {
    const env = {
      ...ADDR,
      ...ROLE,
      LOCKSTEP_KEY_RING: "vault-transit",
      LOCKSTEP_VALUE_STORE: "vault",
      LOCKSTEP_VAULT_NAMESPACE: "team/eu",
      LOCKSTEP_VAULT_CA_FILE: file("ca.pem", PEM, 0o644),
      LOCKSTEP_VAULT_SECRET_ID_FILE: file("secret-id", CANARY),
      LOCKSTEP_VAULT_APPROLE_MOUNT: "team/approle",
      LOCKSTEP_VAULT_TRANSIT_MOUNT: "team/transit",
      LOCKSTEP_VAULT_TRANSIT_KEY: "a.b-c",
      LOCKSTEP_VAULT_KV_MOUNT: "team/kv",
      LOCKSTEP_VAULT_KV_PREFIX: "apps/lockstep",
    };
    expect(readSettings({}, env)).toMatchObject({
      keyRing: "vault-transit",
      valueStore: "vault",
      vault: {
        server: { namespace: "team/eu", caCertificate: PEM },
        credential: {
          kind: "approle",
          mount: "team/approle",
          secretId: { kind: "file", path: join(directory, "secret-id") },
        },
        transit: { mount: "team/transit", key: "a.b-c" },
        kv: { mount: "team/kv", prefix: "apps/lockstep" },
      },
    });
  });

  it("with a wrapped secret id needs the role that it is of", () => {
    const env = {
      ...ADDR,
      ...ROLE,
      LOCKSTEP_VAULT_WRAPPED_SECRET_ID: CANARY,
      LOCKSTEP_VAULT_ROLE: "lockstep",
    };
    const { vault } = readSettings({}, env);
    expect(vault?.credential).toMatchObject({ secretId: { kind: "wrapped", role: "lockstep" } });
    expect(vault === null ? [] : vaultSecrets(vault).map((one) => one.reveal())).toEqual(["role-1", CANARY]);
  });

  it("with a token's file that comes later", () => {
    const path = join(directory, "later");
    expect(readSettings({}, { ...ADDR, LOCKSTEP_VAULT_TOKEN_FILE: path }).vault?.credential).toEqual({
      kind: "token-file",
      path,
    });
  });

  it("on this machine may be asked without TLS", () => {
    const env = { LOCKSTEP_VAULT_ADDR: "http://127.0.0.1:8200/", ...TOKEN };
    expect(readSettings({}, env).vault?.server.address).toBe("http://127.0.0.1:8200");
  });

  it("is named also for what was moved away from it", () => {
    const env = { ...ADDR, ...TOKEN, LOCKSTEP_PREVIOUS_KEY_RING: "vault-transit" };
    expect(readSettings({}, env)).toMatchObject({ keyRing: "local", previousKeyRing: "vault-transit" });
  });
});

describe("refused by name, and not quoted:", () => {
  it.each<readonly [string, string, Record<string, string>, RegExp]>([
    ["a ring that is none", "LOCKSTEP_KEY_RING", { LOCKSTEP_KEY_RING: CANARY }, /local or vault-transit/],
    ["a store that is none", "LOCKSTEP_VALUE_STORE", { LOCKSTEP_VALUE_STORE: CANARY }, /postgres or vault/],
    [
      "a ring before that is none",
      "LOCKSTEP_PREVIOUS_KEY_RING",
      { LOCKSTEP_PREVIOUS_KEY_RING: "local" },
      /vault-transit/,
    ],
    ["a ring without a server", "LOCKSTEP_KEY_RING", { LOCKSTEP_KEY_RING: "vault-transit" }, /VAULT_ADDR/],
    ["a store without a server", "LOCKSTEP_VALUE_STORE", { LOCKSTEP_VALUE_STORE: "vault" }, /VAULT_ADDR/],
    [
      "one ring twice",
      "LOCKSTEP_PREVIOUS_KEY_RING",
      { ...ADDR, ...TOKEN, LOCKSTEP_KEY_RING: "vault-transit", LOCKSTEP_PREVIOUS_KEY_RING: "vault-transit" },
      /way back/,
    ],
    [
      "what goes with a server alone",
      "LOCKSTEP_VAULT_KV_PREFIX",
      { LOCKSTEP_VAULT_KV_PREFIX: CANARY },
      /VAULT_ADDR/,
    ],
    ["a token without a server", "LOCKSTEP_VAULT_TOKEN", TOKEN, /VAULT_ADDR/],
    ["no address", "LOCKSTEP_VAULT_ADDR", { LOCKSTEP_VAULT_ADDR: CANARY, ...TOKEN }, /https/],
    [
      "a path",
      "LOCKSTEP_VAULT_ADDR",
      { LOCKSTEP_VAULT_ADDR: `https://v.example/${CANARY}`, ...TOKEN },
      /host and port/,
    ],
    [
      "a user in it",
      "LOCKSTEP_VAULT_ADDR",
      { LOCKSTEP_VAULT_ADDR: `https://x:${CANARY}@v.example`, ...TOKEN },
      /user/,
    ],
    ["no TLS", "LOCKSTEP_VAULT_ADDR", { LOCKSTEP_VAULT_ADDR: "http://v.example:8200", ...TOKEN }, /https/],
    ["no log-in", "LOCKSTEP_VAULT_ADDR", ADDR, /Set one/],
    ["two log-ins", "LOCKSTEP_VAULT_ADDR", { ...ADDR, ...TOKEN, ...ROLE }, /Set one/],
    [
      "a token and its file",
      "LOCKSTEP_VAULT_ADDR",
      { ...ADDR, ...TOKEN, LOCKSTEP_VAULT_TOKEN_FILE: "/x" },
      /Set one/,
    ],
    [
      "a token with a space",
      "LOCKSTEP_VAULT_TOKEN",
      { ...ADDR, LOCKSTEP_VAULT_TOKEN: `${CANARY} x` },
      /Copy/,
    ],
    ["a role without a secret id", "LOCKSTEP_VAULT_ROLE_ID", { ...ADDR, ...ROLE }, /Set one/],
    [
      "two secret ids",
      "LOCKSTEP_VAULT_ROLE_ID",
      { ...ADDR, ...ROLE, LOCKSTEP_VAULT_SECRET_ID: CANARY, LOCKSTEP_VAULT_WRAPPED_SECRET_ID: CANARY },
      /Set one/,
    ],
    [
      "a secret id without a role",
      "LOCKSTEP_VAULT_SECRET_ID",
      { ...ADDR, ...TOKEN, LOCKSTEP_VAULT_SECRET_ID: CANARY },
      /ROLE_ID/,
    ],
    [
      "a wrapped one of no role",
      "LOCKSTEP_VAULT_ROLE",
      { ...ADDR, ...ROLE, LOCKSTEP_VAULT_WRAPPED_SECRET_ID: CANARY },
      /role/,
    ],
    [
      "a role for nothing wrapped",
      "LOCKSTEP_VAULT_ROLE",
      { ...ADDR, ...ROLE, LOCKSTEP_VAULT_SECRET_ID: CANARY, LOCKSTEP_VAULT_ROLE: "x" },
      /role/,
    ],
    ...["/kv", "kv/", "a//b", "a/../b", "a b", "a*", "a?b", "a%2Fb"].map(
      (path) =>
        [
          `the path ${path}`,
          "LOCKSTEP_VAULT_KV_MOUNT",
          { ...ADDR, ...TOKEN, LOCKSTEP_VAULT_KV_MOUNT: path },
          /slashes/,
        ] as const,
    ),
    [
      "a key's name",
      "LOCKSTEP_VAULT_TRANSIT_KEY",
      { ...ADDR, ...TOKEN, LOCKSTEP_VAULT_TRANSIT_KEY: "a/b" },
      /letters/,
    ],
    [
      "an authority without TLS",
      "LOCKSTEP_VAULT_CA_FILE",
      { LOCKSTEP_VAULT_ADDR: "http://127.0.0.1:1", ...TOKEN, LOCKSTEP_VAULT_CA_FILE: "/x" },
      /https/,
    ],
  ])("%s", (_what, name, env, remedy) => {
    const refused = refusal(env);
    expect(refused).toMatchObject({ code: "SETTING_INVALID", details: { setting: name } });
    expect(refused.hint).toMatch(remedy);
    expect(inspect(refused, { depth: 9 })).not.toContain(CANARY);
  });

  it("an authority that is none", () => {
    const refused = refusal({ ...ADDR, ...TOKEN, LOCKSTEP_VAULT_CA_FILE: file("no-ca.pem", CANARY, 0o644) });
    expect(refused).toMatchObject({ details: { setting: "LOCKSTEP_VAULT_CA_FILE" } });
    expect(inspect(refused, { depth: 9 })).not.toContain(CANARY);
  });

  it("a credential's file that others can read, also behind a link", () => {
    const open = file("open-token", CANARY, 0o644);
    const link = join(directory, "link");
    symlinkSync(open, link);
    for (const path of [open, link])
      expect(refusal({ ...ADDR, LOCKSTEP_VAULT_TOKEN_FILE: path })).toMatchObject({
        details: { setting: "LOCKSTEP_VAULT_TOKEN_FILE" },
        hint: expect.stringContaining("chmod 600"),
      });
    expect(refusal({ ...ADDR, ...ROLE, LOCKSTEP_VAULT_SECRET_ID_FILE: open })).toMatchObject({
      details: { setting: "LOCKSTEP_VAULT_SECRET_ID_FILE" },
    });
  });
});

function refusal(env: Record<string, string>) {
  try {
    readSettings({}, env);
  } catch (error) {
    return toLockstepError(error);
  }
  throw new Error("it was not refused");
}
