/** The server's own line as settings name it: what is told of its token, and the one line at the start. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createScrubber } from "../../src/adapters/telemetry/scrubber.ts";
import type { OpenVault } from "../../src/adapters/vault/create-vault.ts";
import { openVault, tellOfVault, vaultTokenOf } from "../../src/composition/vault.ts";
import type { VaultToken } from "../../src/core/ports/vault-token.ts";
import { readSettings, type Settings } from "../../src/settings/settings.ts";
import { startVault, type VaultDouble } from "../../src/simulator/vault/vault.ts";

const READ = { method: "GET", path: ["secret", "data", "a"], writes: false, absentIsAnswer: true } as const;
const signal = new AbortController().signal;

let double: VaultDouble;
let directory: string;
const open: OpenVault[] = [];
beforeAll(async () => {
  double = await startVault();
  double.mount("kv-v2", "secret");
  double.policy("app", 'path "secret/data/*" { capabilities = ["read"] }');
});
afterAll(() => double.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "told-token-"));
});
afterEach(() => {
  for (const vault of open.splice(0)) vault.close();
  rmSync(directory, { recursive: true });
});

const settingsOf = (env: Readonly<Record<string, string>>): Settings =>
  readSettings({}, { LOCKSTEP_DATA_DIR: directory, LOCKSTEP_VAULT_ADDR: double.address, ...env });

function opened(settings: Settings): { readonly vault: OpenVault; readonly token: VaultToken } {
  if (settings.vault === null) throw new Error("no server is named");
  const around = { dataDirectory: directory, scrubber: createScrubber(), ownListeners: () => [] };
  const vault = openVault(settings.vault, around);
  open.push(vault);
  return { vault, token: vaultTokenOf(vault, settings.vault, settings) };
}

it("tells of the token that is held, and what it is for", async () => {
  const env = { LOCKSTEP_KEY_RING: "vault-transit", LOCKSTEP_VALUE_STORE: "vault" };
  const given = double.token({ policies: ["app"], ttl: 3_600, renewable: false });
  const { vault, token } = opened(settingsOf({ ...env, LOCKSTEP_VAULT_TOKEN: given }));
  const keeps = ["the key ring vault-transit transit/lockstep", "the value store secret/lockstep"];
  expect(token.health()).toMatchObject({ state: "unused", isHeld: false, keeps, logIn: { kind: "token" } });
  await vault.call(READ, signal);
  const told = token.health();
  expect(told).toMatchObject({ state: "good", isHeld: true, failure: null });
  expect(told.endsForGoodAt).toEqual(told.endsAt);
  expect(JSON.stringify(told)).not.toContain(given);
});

it("tells of a log-in that is refused, by the setting that a person must act on, and of no id", async () => {
  const role = double.approle("lockstep", { token_policies: ["app"] });
  const file = join(directory, "secret-id");
  writeFileSync(file, "canary-secret-id", { mode: 0o600 });
  const { vault, token } = opened(
    settingsOf({ LOCKSTEP_VAULT_ROLE_ID: role.roleId, LOCKSTEP_VAULT_SECRET_ID_FILE: file }),
  );
  await expect(vault.call(READ, signal)).rejects.toMatchObject({ verdict: "login" });
  const told = token.health();
  expect(told).toMatchObject({
    state: "refused",
    isHeld: false,
    keeps: [],
    logIn: { kind: "secret-id-file", mount: "approle" },
    failure: { reason: expect.stringContaining("AppRole refused") },
  });
  for (const secret of [role.roleId, "canary", file]) expect(JSON.stringify(told)).not.toContain(secret);
});

it("says once what is kept there, and how it logs in", () => {
  const lines: unknown[] = [];
  const tell = (settings: Settings) => {
    const log = { debug() {}, warn() {}, error() {}, info: (...line: unknown[]) => void lines.push(line) };
    tellOfVault(log, settings);
  };
  tell(
    settingsOf({
      LOCKSTEP_KEY_RING: "vault-transit",
      LOCKSTEP_VALUE_STORE: "vault",
      LOCKSTEP_VAULT_NAMESPACE: "team",
      LOCKSTEP_VAULT_ROLE_ID: "canary-role",
      LOCKSTEP_VAULT_SECRET_ID: "canary-secret",
    }),
  );
  expect(lines).toEqual([
    [
      "Vault keeps what is named",
      {
        address: double.address,
        namespace: "team",
        keeps: ["the key ring vault-transit team/transit/lockstep", "the value store team/secret/lockstep"],
        logIn: "AppRole at auth/approle, by secret-id",
      },
    ],
  ]);
  tell(settingsOf({ LOCKSTEP_VAULT_TOKEN: "canary-token" }));
  expect(lines[1]).toMatchObject([expect.stringContaining("neither keys nor values"), { logIn: "token" }]);
  tell(readSettings({}, { LOCKSTEP_DATA_DIR: directory }));
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain("canary");
});
