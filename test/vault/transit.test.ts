/** Transit as four servers speak it: batches within limits, what a key cannot do, and never a key that nobody asked for. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createVault, type OpenVault } from "../../src/adapters/vault/create-vault.ts";
import type { VaultFailure } from "../../src/adapters/vault/failure.ts";
import { createTransit, type Transit } from "../../src/adapters/vault/transit.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startVault, VAULT_MODES, type VaultDouble } from "../../src/simulator/vault/vault.ts";

const signal = new AbortController().signal;
const RING = `
  path "team/transit/encrypt/lockstep" { capabilities = ["update"] }
  path "team/transit/decrypt/lockstep" { capabilities = ["update"] }
  path "team/transit/keys/lockstep" { capabilities = ["read"] }`;
const CARELESS = 'path "team/transit/encrypt/*" { capabilities = ["create", "update"] }';
const bytes = (text: string): Uint8Array => Buffer.from(text);

const failureOf = async (work: Promise<unknown>): Promise<VaultFailure> =>
  await work.then(
    () => expect.fail("nothing failed"),
    (error: VaultFailure) => error,
  );

describe.each(VAULT_MODES)("%s", (mode) => {
  let double: VaultDouble;
  const open: OpenVault[] = [];
  let transit: Transit;

  const transitAs = (key: string, ...policies: string[]): Transit => {
    const token = SecretValue.of(double.token({ policies, ttl: 3_600 }));
    const server = { address: double.address, namespace: null, caCertificate: null };
    const vault = createVault({ server, credential: { kind: "token", token } });
    open.push(vault);
    return createTransit(vault, { mount: "team/transit", key });
  };
  const encrypt = async (by: Transit, ...texts: string[]) =>
    (await by.encrypt(texts.map(bytes), signal)).map((item) =>
      "ok" in item ? item.ok : expect.fail("an item failed"),
    );

  beforeAll(async () => {
    double = await startVault({ mode });
    double.mount("transit", "team/transit");
    double.policy("ring", RING);
    double.policy("careless", CARELESS);
    double.transitKey("lockstep", {}, "team/transit");
    transit = transitAs("lockstep", "ring");
  });
  afterEach(() => double.clearFaults());
  afterAll(async () => {
    for (const vault of open) vault.close();
    await double.stop();
  });

  it("opens what it sealed, in order, whatever bytes it is", async () => {
    const plain = [new Uint8Array(0), new Uint8Array([0, 255, 254]), bytes("x".repeat(5_000))].slice(1);
    const sealed = await transit.encrypt(plain, signal);
    const opened = await transit.decrypt(
      sealed.map((item) => ("ok" in item ? item.ok : "")),
      signal,
    );
    expect(opened.map((item) => "ok" in item && Buffer.from(item.ok))).toEqual(
      plain.map((one) => Buffer.from(one)),
    );
    expect(double.offences).toEqual([]);
  });

  it("asks for at most 200 in a request, and for none in none", async () => {
    double.calls.clear();
    expect(await transit.encrypt([], signal)).toEqual([]);
    const texts = Array.from({ length: 450 }, (_, index) => `text ${index}`);
    const sealed = await encrypt(transit, ...texts);
    const opened = await transit.decrypt(sealed, signal);
    expect(opened.map((item) => "ok" in item && `${Buffer.from(item.ok)}`)).toEqual(texts);
    expect(double.calls.list({ path: "team/transit/encrypt/*" })).toHaveLength(3);
  });

  it("says by item what failed, whatever the status is, and gives the rest", async () => {
    const [good = ""] = await encrypt(transit, "good");
    const broken = `${good.slice(0, -6)}${good.endsWith("AAAA==") ? "BBBB==" : "AAAA=="}`;
    const results = await transit.decrypt([good, broken, "vault:v99:AAAA", good], signal);
    expect(results.map((item) => ("ok" in item ? `${Buffer.from(item.ok)}` : item.failure.trouble))).toEqual([
      "good",
      "unopened",
      "too-new",
      "good",
    ]);
  });

  it("finds each text that does not open among many that do", async () => {
    double.transitKey("foreign", {}, "team/transit");
    const foreign = double.request("POST", "team/transit/encrypt/foreign", { plaintext: "YQ==" }).body as {
      readonly data: { readonly ciphertext: string };
    };
    const sealed = await encrypt(transit, ...Array.from({ length: 9 }, (_, index) => `text ${index}`));
    const mixed = sealed.map((one, index) => (index === 0 || index === 5 ? foreign.data.ciphertext : one));
    const opened = await transit.decrypt(mixed, signal);
    expect(opened.map((item) => ("ok" in item ? `${Buffer.from(item.ok)}` : item.failure.trouble))).toEqual(
      sealed.map((_, index) => (index === 0 || index === 5 ? "unopened" : `text ${index}`)),
    );
  });

  it("tells a version that is hidden from one that is broken", async () => {
    double.transitKey("hidden", {}, "team/transit");
    double.policy("hidden", RING.replaceAll("lockstep", "hidden"));
    const by = transitAs("hidden", "hidden");
    const sealed = await encrypt(by, "x");
    double.request("POST", "team/transit/keys/hidden/rotate");
    double.request("POST", "team/transit/keys/hidden/config", { min_decryption_version: 2 });
    const [result] = await by.decrypt(sealed, signal);
    expect(result).toMatchObject({ failure: { verdict: "key", trouble: "too-old" } });
    expect(await by.readKey(signal)).toMatchObject({
      type: "aes256-gcm96",
      latestVersion: 2,
      minDecryptionVersion: 2,
      derived: false,
      deletionAllowed: false,
      exportable: false,
      allowPlaintextBackup: false,
    });
  });

  it("never makes a key, also where the token may", async () => {
    double.policy("missing", RING.replaceAll("lockstep", "missing"));
    const tokens = [
      ["missing", "ring", "missing"],
      ["missing", "ring", "missing", "careless"],
      ["missing", "careless"],
      ["missing", "root"],
    ] as const;
    for (const [key, ...policies] of tokens) {
      const failure = await failureOf(transitAs(key, ...policies).encrypt([bytes("x")], signal));
      expect(failure.verdict).toMatch(/^(?:key|permission)$/);
      expect(double.request("GET", "team/transit/keys/missing").status).toBe(404);
    }
    expect(double.calls.list({ path: "team/transit/encrypt/missing" })).toHaveLength(0);
    expect(
      await failureOf(
        transitAs("missing", "missing")
          .decrypt(["vault:v1:AAAA"], signal)
          .then(([item]) => {
            throw item !== undefined && "failure" in item ? item.failure : new Error("it opened");
          }),
      ),
    ).toMatchObject({ verdict: "key", trouble: "missing" });
  });

  it("a token that may not read the key is used where it cannot make one", async () => {
    double.policy("blind", 'path "team/transit/encrypt/lockstep" { capabilities = ["update"] }');
    const [sealed = ""] = await encrypt(transitAs("lockstep", "blind"), "x");
    expect(await transit.decrypt([sealed], signal)).toMatchObject([{ ok: bytes("x") }]);
    expect(await failureOf(transitAs("lockstep", "blind").readKey(signal))).toMatchObject({
      verdict: "permission",
    });
    const failure = await failureOf(transitAs("lockstep", "careless").encrypt([bytes("x")], signal));
    expect(failure).toMatchObject({ verdict: "permission" });
    expect(failure.message).toContain('only "update" on team/transit/encrypt/lockstep');
  });

  it.each<readonly [string, Parameters<VaultDouble["fault"]>[1], string]>([
    ["is sealed", { kind: "sealed" }, "later"],
    ["says what nobody knows", { kind: "answer", status: 400, body: { errors: ["something new"] } }, "later"],
    ["fails within", { kind: "storage-error" }, "later"],
    ["redirects", { kind: "standby-redirect" }, "later"],
    ["answers another shape", { kind: "wrong-shape" }, "protocol"],
    [
      "answers too little",
      { kind: "answer", status: 200, body: { data: { batch_results: [] } } },
      "protocol",
    ],
    ["lacks a right", { kind: "policy-denied" }, "permission"],
    ["knows another API", { kind: "html" }, "protocol"],
  ])("a server that %s damages nothing", async (_what, fault, verdict) => {
    const sealed = await encrypt(transit, "x");
    double.fault({ path: "team/transit/decrypt/*", times: 2 }, fault);
    expect(await failureOf(transit.decrypt(sealed, signal))).toMatchObject({ verdict });
  });

  it("an item in another form is no plaintext", async () => {
    const item = (value: object) =>
      ({ kind: "answer", status: 200, body: { data: { batch_results: [value] } } }) as const;
    for (const value of [{}, { plaintext: "not base64!" }, { plaintext: null }]) {
      double.fault({ path: "team/transit/decrypt/*" }, item(value));
      expect(await transit.decrypt(["vault:v1:AAAA"], signal)).toMatchObject([
        { failure: { verdict: "protocol" } },
      ]);
    }
    for (const value of [{}, { ciphertext: "plain" }]) {
      double.fault({ path: "team/transit/encrypt/*" }, item(value));
      expect(await transit.encrypt([bytes("x")], signal)).toMatchObject([
        { failure: { verdict: "protocol" } },
      ]);
    }
  });
});
