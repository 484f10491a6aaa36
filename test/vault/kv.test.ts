/** KV v2 as four servers speak it: what is there, what was, and what must not be taken for either. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createVault, type OpenVault } from "../../src/adapters/vault/create-vault.ts";
import type { VaultFailure } from "../../src/adapters/vault/failure.ts";
import { createKv, type Kv } from "../../src/adapters/vault/kv.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startVault, VAULT_MODES, type VaultDouble } from "../../src/simulator/vault/vault.ts";

const signal = new AbortController().signal;
const at = (path: string, mount = "team/kv") => ({ mount, path });
const POLICY = `
  path "team/kv/*" { capabilities = ["create", "read", "update", "delete", "list"] }
  path "old/*" { capabilities = ["create", "read", "update", "delete", "list"] }
  path "anew/*" { capabilities = ["read"] }
  path "transit/*" { capabilities = ["read"] }`;

const verdict = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => "nothing failed",
    (error: VaultFailure) => error.verdict,
  );

describe.each(VAULT_MODES)("%s", (mode) => {
  let double: VaultDouble;
  let vault: OpenVault;
  let kv: Kv;

  beforeAll(async () => {
    double = await startVault({ mode });
    double.mount("kv-v2", "team/kv");
    double.mount("kv-v1", "old");
    double.mount("transit", "transit");
    double.policy("app", POLICY);
    const token = SecretValue.of(double.token({ policies: ["app"], ttl: 3_600 }));
    const server = { address: double.address, namespace: null, caCertificate: null };
    vault = createVault({ server, credential: { kind: "token", token } });
    kv = createKv(vault);
  });
  afterEach(() => double.clearFaults());
  afterAll(async () => {
    vault.close();
    await double.stop();
  });

  it("writes against the version that was read, and reads back what it wrote", async () => {
    const place = at("apps/a b=c'd");
    expect(await kv.read(place, signal)).toEqual({ state: "absent" });
    expect(await kv.metadata(place, signal)).toBeNull();
    const data = { KEY: 'v"\n\u0000ü𝄞', __proto__x: "1", ["__proto__"]: "own" };
    const written = await kv.write(place, data, 0, signal);
    expect(written).toMatchObject({ version: 1, deletionTime: "" });
    const read = await kv.read(place, signal);
    expect(read).toMatchObject({
      state: "present",
      version: 1,
      createdTime: written.createdTime,
      inexactKeys: [],
    });
    expect(read.state === "present" && Object.entries(read.data).sort()).toEqual(Object.entries(data).sort());
    expect(await verdict(kv.write(place, data, 0, signal))).toBe("conflict");
    expect(await kv.write(place, { KEY: "2" }, 1, signal)).toMatchObject({ version: 2 });
    expect(await kv.read(place, signal, 1)).toMatchObject({ version: 1 });
    expect(double.offences).toEqual([]);
  });

  it("knows what was deleted, and what was destroyed, by its number", async () => {
    const place = at("gone");
    await kv.write(place, { a: "1" }, 0, signal);
    await kv.deleteLatest(place, signal);
    expect(await kv.read(place, signal)).toMatchObject({ state: "deleted", version: 1 });
    await kv.destroy(place, [1], signal);
    expect(await kv.read(place, signal)).toMatchObject({ state: "destroyed", version: 1 });
    expect(await kv.read(place, signal, 7)).toEqual({ state: "absent" });
    const metadata = await kv.metadata(place, signal);
    expect(metadata?.currentVersion).toBe(1);
    expect(metadata?.versions.get(1)).toMatchObject({ destroyed: true });
    await kv.deleteMetadata(place, signal);
    await kv.deleteMetadata(place, signal);
    await kv.deleteLatest(at("never"), signal);
    expect(await kv.read(place, signal)).toEqual({ state: "absent" });
  });

  it("lists names, and nothing where nothing is", async () => {
    await kv.write(at("list/one"), { a: "1" }, 0, signal);
    await kv.write(at("list/sub/two"), { a: "1" }, 0, signal);
    expect(await kv.list(at("list"), signal)).toEqual(["one", "sub/"]);
    expect(await kv.list(at("", "team/kv"), signal)).toContain("list/");
    expect(await kv.list(at("nothing"), signal)).toEqual([]);
  });

  it("labels for people, and never fails by it", async () => {
    const place = at("labelled");
    await kv.write(place, { a: "1" }, 0, signal);
    await kv.label(place, { managed_by: "lockstep" }, signal);
    await kv.label(place, { target: "x" }, signal);
    const isKept = mode !== "vault-1.8";
    expect((await kv.metadata(place, signal))?.customMetadata ?? null).toEqual(
      isKept ? { managed_by: "lockstep", target: "x" } : null,
    );
    double.fault({ path: "team/kv/metadata/*", times: "always" }, { kind: "policy-denied" });
    await kv.label(place, { target: "y" }, signal);
  });

  it("tells engines apart before it writes, because version 1 takes such a write", async () => {
    expect(await kv.engineVersion("team/kv", signal)).toBe(2);
    expect(await kv.engineVersion("old", signal)).toBe(1);
    expect(await kv.engineVersion("nowhere", signal)).toBeNull();
    expect(await verdict(kv.engineVersion("transit", signal))).toBe("mount");
    expect(await verdict(kv.write(at("a", "old"), { a: "1" }, 0, signal))).toBe("mount");
    expect(double.calls.list({ path: "old/*" })).toHaveLength(0);
  });

  it("does not take a path below a mount for one", async () => {
    // The server answers for the mount that it belongs to.
    await expect(kv.engineVersion("team/kv/data", signal)).rejects.toMatchObject({
      verdict: "mount",
      message: expect.stringContaining("team/kv is the mount"),
    });
    const body = { data: { type: "kv", path: "elsewhere/", options: { version: "2" } } };
    double.fault({ path: "sys/internal/ui/mounts/*" }, { kind: "answer", status: 200, body });
    const failure = await kv.engineVersion("team/kv2", signal).catch((error: unknown) => error);
    expect(failure).toMatchObject({ verdict: "mount" });
    expect(String(failure)).not.toContain("elsewhere");
  });

  it("sees that an engine was made one of version 2 without a new start", async () => {
    double.mount("kv-v1", "anew");
    expect(await kv.engineVersion("anew", signal)).toBe(1);
    double.unmount("anew");
    double.mount("kv-v2", "anew");
    expect(await kv.engineVersion("anew", signal)).toBe(2);
    double.unmount("anew");
  });

  it("never takes version 1 for version 2 where nobody says which it is", async () => {
    double.fault({ path: "sys/internal/ui/mounts/*", times: "always" }, { kind: "policy-denied" });
    const fresh = createKv(vault);
    expect(await fresh.engineVersion("old", signal)).toBeNull();
    expect(await verdict(fresh.write(at("b", "old"), { a: "1" }, 0, signal))).toBe("mount");
    expect(await verdict(fresh.read(at("b", "old"), signal))).toBe("mount");
  });

  it("names keys whose numbers do not come through", async () => {
    double.request("POST", "team/kv/data/numbers", { options: {}, data: { a: 1, b: "9007199254740993" } });
    expect(await kv.read(at("numbers"), signal)).toMatchObject({ inexactKeys: [] });
    const body =
      '{"data":{"data":{"a":9007199254740993,"b":"x"},"metadata":{"version":1,"created_time":"t","deletion_time":"","destroyed":false}}}';
    double.fault({ path: "team/kv/data/numbers" }, { kind: "answer", status: 200, body });
    expect(await kv.read(at("numbers"), signal)).toMatchObject({ inexactKeys: ["a"] });
  });

  it.each<readonly [string, Parameters<VaultDouble["fault"]>[1], string, string]>([
    ["is cut off after it", { kind: "cut", executed: true }, "outcome-unknown", "later"],
    ["is cut off within the answer", { kind: "cut", executed: true, bytes: 9 }, "outcome-unknown", "later"],
    ["fails after it", { kind: "audit-blocked", executed: true }, "outcome-unknown", "later"],
    [
      "is behind a gateway that gives up",
      { kind: "bad-gateway", executed: true },
      "outcome-unknown",
      "later",
    ],
    [
      "loses its active node",
      { kind: "no-active-node", form: "not-found", executed: true },
      "outcome-unknown",
      "later",
    ],
    ["redirects", { kind: "standby-redirect", executed: true }, "outcome-unknown", "later"],
    ["answers HTML", { kind: "html", executed: true }, "outcome-unknown", "protocol"],
    ["answers half a JSON", { kind: "not-json", executed: true }, "outcome-unknown", "protocol"],
    ["answers another shape", { kind: "wrong-shape", executed: true }, "outcome-unknown", "mount"],
    ["is sealed", { kind: "sealed" }, "later", "later"],
    ["is asked too often", { kind: "rate-limited", retryAfterSeconds: 2 }, "rate-limited", "rate-limited"],
    ["lacks a right", { kind: "policy-denied" }, "permission", "permission"],
    ["is being upgraded", { kind: "upgrading" }, "later", "later"],
  ])("a server that %s", async (what, fault, write, read) => {
    const place = at(`faults/${what}`);
    double.fault({ method: "POST", path: "team/kv/data/faults/*" }, fault);
    expect(await verdict(kv.write(place, { a: "1" }, 0, signal))).toBe(write);
    double.clearFaults();
    // A read that was cut off is sent once more.
    double.fault({ method: "GET", path: "team/kv/data/faults/*", times: 2 }, fault);
    expect(await verdict(kv.read(place, signal))).toBe(read);
    expect(double.offences.filter(({ kind }) => kind !== "wrong-token")).toEqual([]);
  });

  it("takes a warning for what it is", async () => {
    double.fault({ method: "DELETE" }, { kind: "warnings" });
    await kv.deleteMetadata(at("warned"), signal);
  });

  it("refuses half a character, of which the server would make another", async () => {
    expect(await verdict(kv.write(at("half"), { a: "x\ud800" }, 0, signal))).toBe("invalid");
    expect(await verdict(kv.write(at("half"), { "\udc00": "x" }, 0, signal))).toBe("invalid");
  });
});
