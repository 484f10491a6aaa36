/** What a careful client does not do is on record, values apart. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startVault, type VaultDouble } from "../../../src/simulator/vault/vault.ts";
import type { Wire } from "../../conformance/vault/wire.ts";
import { askerOf, write } from "./support.ts";

let vault: VaultDouble;
let ask: Wire["ask"];

beforeAll(async () => {
  vault = await startVault();
  vault.mount("kv-v2", "secret");
  ask = askerOf(vault);
});

beforeEach(() => vault.calls.clear());
afterAll(() => vault.stop());

const kinds = () => vault.offences.map(({ kind }) => kind);

test("none are found where there are none", async () => {
  const role = vault.approle("app", { token_policies: [] });
  const body = { role_id: role.roleId, secret_id: role.secretId() };
  await ask("POST", "auth/approle/login", { token: null, body });
  const wrapped = role.wrappedSecretId();
  await ask("POST", "sys/wrapping/lookup", { token: null, body: { token: wrapped } });
  await ask("POST", "sys/wrapping/unwrap", { token: wrapped });
  await ask("POST", `secret/data/${encodeURIComponent("a b+c'(d)!")}/x`, write(0));
  await ask("GET", "secret/data/a?version=1");
  await ask("LIST", "secret/metadata/a/");
  await ask("GET", "sys/health", { token: null });
  expect(vault.offences).toEqual([]);
});

test("each has its kind", async () => {
  const role = vault.approle("app", { token_policies: [] });
  const cases: [string, () => Promise<unknown>][] = [
    [
      "no-request-header",
      () => fetch(`${vault.address}/v1/secret/data/a`, { headers: { "x-vault-token": vault.rootToken } }),
    ],
    ["no-token", () => ask("GET", "secret/data/a", { token: null })],
    ["wrong-token", () => ask("GET", "secret/data/a", { token: "hvs.wrong" })],
    [
      "token-at-login",
      () => ask("POST", "auth/approle/login", { body: { role_id: role.roleId, secret_id: role.secretId() } }),
    ],
    ["odd-path", () => ask("GET", "secret//data/a")],
    ["odd-path", () => ask("GET", "secret/data/a%2Fb")],
    ["odd-path", () => ask("GET", "secret/data/a+b")],
    ["odd-path", () => ask("GET", "secret/data/a/")],
    ["write-without-cas", () => ask("POST", "secret/data/a", { body: { data: {} } })],
    ["write-without-cas", () => ask("PUT", "secret/data/a", { body: { options: {}, data: {} } })],
  ];
  for (const [kind, offend] of cases) {
    vault.calls.clear();
    await offend();
    expect(kinds()).toEqual([kind]);
  }
});

test("a token that was revoked is a wrong one", async () => {
  const token = vault.token();
  vault.revoke(token);
  await ask("GET", "auth/token/lookup-self", { token });
  expect(kinds()).toEqual(["wrong-token"]);
});

test("calls are recorded without values, and without what others do at the server", async () => {
  vault.request("POST", "secret/data/other", { data: { A: "canary-1" } });
  await ask("POST", "secret/data/mine", write(0, { A: "canary-2" }));
  const calls = vault.calls.list();
  expect(calls).toMatchObject([
    { method: "POST", path: "secret/data/mine", status: 200, token: "living", executed: true },
  ]);
  const text = JSON.stringify([calls, vault.offences]);
  expect(text).not.toContain("canary");
  expect(text).not.toContain(vault.rootToken);
  expect(vault.calls.unsafeBody(calls[0]?.seq ?? 0)).toContain("canary-2");
});
