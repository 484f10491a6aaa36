/** By what the four servers differ that the double plays. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  startVault,
  VAULT_MODES,
  type VaultDouble,
  type VaultMode,
} from "../../../src/simulator/vault/vault.ts";
import type { Wire, WireAnswer } from "../../conformance/vault/wire.ts";
import { askerOf, write } from "./support.ts";

const DEAD = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";

interface Expected {
  readonly noToken: readonly [number, string];
  readonly deadToken: string;
  readonly batch: number;
  /** A text that does not open: decrypted, rewrapped. */
  readonly unopened: readonly [number, number];
  readonly keyAnswer: number;
  readonly patch: number;
  readonly login: string;
  readonly labels: boolean;
  readonly namespace: number;
  readonly cleaning: number;
  readonly tokenPrefix: string;
  readonly unknownParameter: number;
  readonly thousandStrings: number;
  readonly longString: number;
}

const MIDDLE: Expected = {
  noToken: [403, "permission denied"],
  deadToken: "permission denied",
  batch: 400,
  unopened: [400, 500],
  keyAnswer: 200,
  patch: 200,
  login: "invalid role ID",
  labels: true,
  namespace: 200,
  cleaning: 301,
  tokenPrefix: "hvs.",
  unknownParameter: 200,
  thousandStrings: 200,
  longString: 500,
};

const EXPECTED: Readonly<Record<VaultMode, Expected>> = {
  "vault-1.8": {
    ...MIDDLE,
    noToken: [400, "missing client token"],
    batch: 200,
    unopened: [500, 500],
    keyAnswer: 204,
    patch: 405,
    labels: false,
    tokenPrefix: "s.",
    unknownParameter: 204,
  },
  "vault-1.14": MIDDLE,
  "vault-1.21": {
    ...MIDDLE,
    unopened: [400, 400],
    deadToken: DEAD,
    login: "invalid role or secret ID",
    longString: 413,
  },
  "openbao-2.6": {
    ...MIDDLE,
    login: "invalid role or secret ID",
    namespace: 404,
    cleaning: 307,
    tokenPrefix: "s.",
    thousandStrings: 400,
  },
};

describe.each(VAULT_MODES)("%s", (mode) => {
  const expected = EXPECTED[mode];
  let vault: VaultDouble;
  let ask: Wire["ask"];

  beforeAll(async () => {
    vault = await startVault({ mode });
    vault.mount("kv-v2", "secret");
    vault.mount("transit", "transit");
    vault.approle("app", {});
    ask = askerOf(vault);
  });

  afterAll(() => vault.stop());

  const said = ({ status, errors }: WireAnswer) => [status, errors?.[0]];

  test("refuses tokens, logins and namespaces in its own way", async () => {
    expect(said(await ask("GET", "secret/data/a", { token: null }))).toEqual(expected.noToken);
    expect(said(await ask("GET", "secret/data/a", { token: "wrong" }))).toEqual([403, expected.deadToken]);
    const login = await ask("POST", "auth/approle/login", {
      token: null,
      body: { role_id: "x", secret_id: "y" },
    });
    expect(said(login)).toEqual([400, expected.login]);
    const headers = { "x-vault-namespace": "no-such" };
    expect((await ask("GET", "auth/token/lookup-self", { headers })).status).toBe(expected.namespace);
    expect(vault.token().startsWith(expected.tokenPrefix)).toBe(true);
  });

  test("has its own Transit", async () => {
    const body = { batch_input: [{ ciphertext: "vault:v9:YQ==" }] };
    expect((await ask("POST", "transit/keys/k")).status).toBe(expected.keyAnswer);
    expect((await ask("POST", "transit/keys/k/rotate")).status).toBe(expected.keyAnswer);
    expect((await ask("POST", "transit/decrypt/k", { body })).status).toBe(expected.batch);
    const foreign = { ciphertext: `vault:v1:${Buffer.alloc(40).toString("base64")}` };
    const [decrypted, rewrapped] = [
      await ask("POST", "transit/decrypt/k", { body: { batch_input: [foreign] } }),
      await ask("POST", "transit/rewrap/k", { body: foreign }),
    ];
    expect([decrypted.status, rewrapped.status]).toEqual(expected.unopened);
  });

  test("has its own KV", async () => {
    await ask("POST", "secret/data/a", write(0));
    const headers = { "content-type": "application/merge-patch+json" };
    expect((await ask("PATCH", "secret/data/a", { headers, body: { data: {} } })).status).toBe(
      expected.patch,
    );
    await ask("POST", "secret/metadata/a", { body: { custom_metadata: { a: "b" } } });
    expect("custom_metadata" in (await ask("GET", "secret/metadata/a")).data).toBe(expected.labels);
    const odd = await ask("POST", "secret/metadata/a", { body: { max_versions: 1, odd: 1 } });
    expect(odd.status).toBe(expected.unknownParameter);
  });

  test("has its own limits", async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`k${n}`, "v"]));
    expect((await ask("POST", "secret/data/many", write(0, many))).status).toBe(expected.thousandStrings);
    const long = await ask("POST", "secret/data/long", write(0, { A: "x".repeat(1024 * 1024 + 1) }));
    expect(long.status).toBe(expected.longString);
    if (long.status === 500) expect(long.errors?.[0]).toContain("put failed due to value being too large");
    expect((await ask("GET", "secret//data")).status).toBe(expected.cleaning);
  });
});

test("OpenBao's namespaces are worlds of their own, and a token of the root reaches down, not up", async () => {
  const vault = await startVault({ mode: "openbao-2.6" });
  const ask = askerOf(vault);
  vault.namespace("team");
  vault.mount("kv-v2", "secret", "team");
  const headers = { "x-vault-namespace": "team" };
  expect((await ask("POST", "secret/data/a", { ...write(0), headers })).status).toBe(200);
  expect((await ask("GET", "team/secret/data/a")).status).toBe(200);
  expect((await ask("GET", "secret/data/a")).status).toBe(404);
  vault.policy("reader", 'path "secret/data/*" { capabilities = ["read"] }', "team");
  const token = vault.token({ policies: ["reader"], namespace: "team" });
  expect((await ask("GET", "secret/data/a", { token, headers })).status).toBe(200);
  expect((await ask("GET", "secret/data/a", { token })).status).toBe(403);
  expect((await ask("GET", "auth/token/lookup-self", { token })).data["namespace_path"]).toBe("team/");
  const health = await ask("GET", "sys/health", { token: null, headers });
  expect([health.status, health.errors]).toEqual([400, ["operation unavailable in namespaces"]]);
  await vault.stop();
});

test("OpenBao deletes keys softly, and counts changes of metadata", async () => {
  const vault = await startVault({ mode: "openbao-2.6" });
  const ask = askerOf(vault);
  vault.mount("kv-v2", "secret");
  vault.mount("transit", "transit");
  vault.transitKey("k");
  await ask("DELETE", "transit/keys/k/soft-delete");
  const refused = await ask("POST", "transit/encrypt/k", { body: { plaintext: "YQ==" } });
  expect([refused.status, refused.errors]).toEqual([400, ["refusing to use soft-deleted key"]]);
  await ask("POST", "transit/keys/k/soft-delete-restore");
  expect((await ask("POST", "transit/encrypt/k", { body: { plaintext: "YQ==" } })).status).toBe(200);
  const label = (metadata_cas: number) =>
    ask("POST", "secret/metadata/a", { body: { metadata_cas, custom_metadata: { a: "b" } } });
  expect((await label(0)).status).toBe(204);
  expect((await label(0)).errors?.[0]).toContain("metadata check-and-set parameter");
  expect((await label(1)).status).toBe(204);
  await vault.stop();
});
