/** The double misbehaves on command, and only then. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Fault, startVault, type VaultDouble } from "../../../src/simulator/vault/vault.ts";
import type { Wire } from "../../conformance/vault/wire.ts";
import { askerOf, write } from "./support.ts";

let vault: VaultDouble;
let ask: Wire["ask"];
let count = 0;
const fresh = () => `secret/data/key-${++count}`;

beforeAll(async () => {
  vault = await startVault({ indexHeaders: true });
  vault.mount("kv-v2", "secret");
  ask = askerOf(vault);
});

afterEach(() => {
  vault.clearFaults();
  vault.staleReads(null);
  vault.newTokensUnknownFor(0);
  vault.become("active");
});

afterAll(() => vault.stop());

describe("an answer that is not what happened", () => {
  const wrapped = "1 error occurred:\n\t* internal error\n\n";
  test.each<[string, Fault, number, string | undefined, boolean]>([
    ["sealed", { kind: "sealed" }, 503, "Vault is sealed", false],
    ["namespace sealed", { kind: "namespace-sealed" }, 503, "namespace is sealed", false],
    ["no active node", { kind: "no-active-node" }, 503, "no active Vault instance found", false],
    ["node not active", { kind: "no-active-node", form: "not-active" }, 503, "node is not active", false],
    [
      "active node not found",
      { kind: "no-active-node", form: "not-found", executed: true },
      500,
      "local node not active but active cluster node not found",
      true,
    ],
    ["audit blocked before", { kind: "audit-blocked", executed: false }, 500, wrapped, false],
    ["audit blocked after", { kind: "audit-blocked", executed: true }, 500, "internal error", true],
    ["gateway, nothing done", { kind: "bad-gateway" }, 502, undefined, false],
    ["gateway, done", { kind: "bad-gateway", executed: true }, 502, undefined, true],
    ["a page", { kind: "html", executed: true }, 200, undefined, true],
    ["no JSON", { kind: "not-json" }, 200, undefined, false],
    ["upgrading", { kind: "upgrading" }, 400, expect.stringContaining("Upgrading from"), false],
    [
      "waiting",
      { kind: "upgrading", form: "waiting" },
      400,
      expect.stringContaining("Waiting for the primary"),
      false,
    ],
    [
      "token check",
      { kind: "token-unknown", form: "check-failed" },
      400,
      expect.stringContaining("error performing token check"),
      false,
    ],
    ["storage full", { kind: "storage-full" }, 500, expect.stringContaining("no space left"), false],
    ["any", { kind: "answer", status: 418, body: { errors: ["tea"] }, executed: true }, 418, "tea", true],
  ])("%s", async (_name, fault, status, text, done) => {
    const path = fresh();
    const added = vault.fault({ method: "POST", path }, fault);
    const answer = await ask("POST", path, write(0));
    expect([answer.status, answer.errors?.[0]]).toEqual([status, text]);
    expect(added.hits).toBe(1);
    expect((await ask("GET", path)).status).toBe(done ? 200 : 404);
  });

  test("rate limits come with and without the time to wait", async () => {
    vault.fault({ path: "secret/*" }, { kind: "rate-limited" });
    vault.fault({ path: "secret/*" }, { kind: "rate-limited", retryAfterSeconds: 7 });
    const [first, second] = [await ask("GET", fresh()), await ask("GET", fresh())];
    expect([first.status, first.headers.get("retry-after")]).toEqual([429, null]);
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(first.errors?.[0]).toMatch(/^request path "secret\/data\/key-\d+": rate limit quota exceeded$/);
  });

  test("warnings make 200 of 204", async () => {
    vault.fault({ method: "DELETE" }, { kind: "warnings" });
    const answer = await ask("DELETE", fresh());
    expect([answer.status, answer.json?.["warnings"]]).toEqual([200, [expect.any(String)]]);
  });
});

describe("no answer", () => {
  test.each([true, false])("is cut, executed: %s", async (executed) => {
    const path = fresh();
    vault.fault({ path }, { kind: "cut", executed });
    await expect(ask("POST", path, write(0))).rejects.toThrow();
    expect((await ask("GET", path)).status).toBe(executed ? 200 : 404);
  });

  test("is cut in its middle", async () => {
    const path = fresh();
    await ask("POST", path, write(0));
    vault.fault({ path }, { kind: "cut", executed: true, bytes: 20 });
    await expect(ask("GET", path)).rejects.toThrow();
  });

  test.each(["request", "answer"] as const)("is held at the %s until released", async (at) => {
    const path = fresh();
    const held = vault.fault({ method: "POST", path }, { kind: "held", at });
    const writing = ask("POST", path, write(0));
    await held.hit();
    const seen = (await ask("GET", path)).status;
    held.release();
    expect((await writing).status).toBe(200);
    if (at === "request") expect(seen).toBe(404);
  });
});

test("a redirect points to another address, and whoever follows it is on record", async () => {
  const path = fresh();
  vault.fault({ path }, { kind: "standby-redirect" });
  const answer = await ask("POST", path, write(0));
  const location = answer.headers.get("location") ?? "";
  expect([answer.status, answer.text]).toEqual([307, ""]);
  expect(location.startsWith(vault.address)).toBe(false);
  const before = vault.offences.length;
  await fetch(location, { headers: { "x-vault-token": vault.rootToken, "x-vault-request": "true" } });
  expect(vault.offences.slice(before).map(({ kind }) => kind)).toEqual([
    "redirect-followed",
    "token-at-redirect-target",
  ]);
});

test("matches are counted: some pass, some are spoiled, the rest pass", async () => {
  const path = fresh();
  const fault = vault.fault({ path, skip: 1, times: 2 }, { kind: "sealed" });
  const statuses: number[] = [];
  for (let n = 0; n < 4; n += 1) statuses.push((await ask("GET", path)).status);
  expect(statuses).toEqual([404, 503, 503, 404]);
  const always = vault.fault(
    { path, times: "always", when: ({ method }) => method === "GET" },
    { kind: "sealed" },
  );
  expect((await ask("GET", path)).status).toBe(503);
  expect((await ask("DELETE", path)).status).toBe(204);
  always.remove();
  expect([(await ask("GET", path)).status, fault.hits]).toEqual([404, 2]);
});

test("reads are stale for some time after a write, while cas sees the truth", async () => {
  const path = fresh();
  await ask("POST", path, write(0, { A: "old" }));
  vault.staleReads({ reads: 2 });
  await ask("POST", path, write(1, { A: "new" }));
  const seen: unknown[] = [];
  for (let n = 0; n < 3; n += 1) seen.push((await ask("GET", path)).data["data"]);
  expect(seen).toEqual([{ A: "old" }, { A: "old" }, { A: "new" }]);
  const created = fresh();
  expect((await ask("POST", created, write(0))).status).toBe(200);
  expect((await ask("GET", created)).status).toBe(404);
  expect((await ask("POST", created, write(0))).status).toBe(400);
});

test("an index that a node does not have yet is refused, unless the request may be forwarded", async () => {
  const path = fresh();
  const index = (await ask("POST", path, write(0))).headers.get("x-vault-index") ?? "";
  expect(index).not.toBe("");
  vault.fault({ path, times: "always" }, { kind: "behind-index" });
  const headers = { "x-vault-index": index };
  const behind = await ask("GET", path, { headers });
  expect([behind.status, behind.errors]).toEqual([412, ["required index state not present"]]);
  expect((await ask("GET", path)).status).toBe(200);
  const forward = { ...headers, "x-vault-inconsistent": "forward-active-node" };
  expect((await ask("GET", path, { headers: forward })).status).toBe(200);
});

test("a new token is unknown at first", async () => {
  vault.newTokensUnknownFor(2);
  const token = vault.token();
  const statuses: number[] = [];
  for (let n = 0; n < 3; n += 1)
    statuses.push((await ask("GET", "auth/token/lookup-self", { token })).status);
  expect(statuses).toEqual([403, 403, 200]);
});

test("health has a status for each state, and a sealed server does nothing else", async () => {
  const statuses: number[] = [];
  for (const state of [
    "active",
    "standby",
    "dr-secondary",
    "performance-standby",
    "standby-without-active",
    "removed",
    "not-initialized",
    "sealed",
  ] as const) {
    vault.become(state);
    statuses.push((await ask("GET", "sys/health", { token: null })).status);
  }
  expect(statuses).toEqual([200, 429, 472, 473, 474, 530, 501, 503]);
  const { status, errors } = await ask("GET", fresh());
  expect([status, errors]).toEqual([503, ["Vault is sealed"]]);
});

test("mounts and keys go away", async () => {
  vault.mount("transit", "transit");
  vault.transitKey("lockstep");
  vault.removeTransitKey("lockstep");
  const gone = await ask("POST", "transit/decrypt/lockstep", { body: { ciphertext: "vault:v1:YQ==" } });
  expect(gone.errors).toEqual(["encryption key not found"]);
  vault.unmount("transit");
  expect((await ask("GET", "transit/keys/lockstep")).status).toBe(404);
});
