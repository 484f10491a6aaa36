/** What a value store on Vault makes of a server that is set up otherwise, or answers otherwise, than it should. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LockstepError } from "../../../src/core/errors.ts";
import type { NamedValueStore } from "../../../src/core/ports/value-store.ts";
import type { Fault } from "../../../src/simulator/vault/vault.ts";
import { startVaultForValues, type VaultForValues } from "../../support/vault-values.ts";

const PLAIN = '{"value":"canary-value"}';

describe("a value store on Vault", () => {
  const storeId = randomUUID();
  let vault: VaultForValues;
  let store: NamedValueStore;
  beforeAll(async () => {
    vault = await startVaultForValues();
  });
  beforeEach(() => {
    vault.vault.clearFaults();
    store = vault.values(storeId);
  });
  afterAll(() => vault.stop());

  const put = (of = { secretId: randomUUID(), version: 1 }) => store.put(of, store.nameFor(1), PLAIN);
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => "done",
      (error: LockstepError) => {
        expect(JSON.stringify([error, error.message, error.hint])).not.toContain("canary");
        return error.code;
      },
    );
  const ANY = { path: "secret/*", times: "always" } as const;

  it.each<[string, Fault, string]>([
    ["sealed", { kind: "sealed" }, "VALUE_STORE_UNAVAILABLE"],
    ["a standby that redirects", { kind: "standby-redirect" }, "VALUE_STORE_UNAVAILABLE"],
    ["out of its rate", { kind: "rate-limited", retryAfterSeconds: 7 }, "VALUE_STORE_UNAVAILABLE"],
    ["being upgraded", { kind: "upgrading" }, "VALUE_STORE_UNAVAILABLE"],
    ["without a word", { kind: "cut", executed: false }, "VALUE_STORE_UNAVAILABLE"],
    ["without its audit log", { kind: "audit-blocked", executed: false }, "VALUE_STORE_UNAVAILABLE"],
    ["without the right", { kind: "policy-denied" }, "VALUE_STORE_REFUSED"],
    ["another service", { kind: "html" }, "VALUE_STORE_REFUSED"],
    ["full", { kind: "storage-full" }, "VALUE_STORE_UNAVAILABLE"],
  ])("that is %s: said so, and nothing is put", async (_state, fault, code) => {
    vault.vault.fault(ANY, fault);
    const of = { secretId: randomUUID(), version: 1 };
    const got = await codeOf(put(of));
    vault.vault.clearFaults();
    expect(got).toBe(code);
    expect(await store.values(of.secretId)).toEqual([]);
  });

  it.each<[string, Fault]>([
    ["500 after the work", { kind: "storage-error", executed: true }],
    ["an answer cut in its middle", { kind: "cut", executed: true, bytes: 20 }],
    ["a page of somebody else's", { kind: "html", executed: true }],
    ["an answer of another shape", { kind: "wrong-shape", executed: true }],
    ["a forward that broke", { kind: "no-active-node", executed: true }],
  ])("a put with %s is read back, and is done", async (_what, fault) => {
    const of = { secretId: randomUUID(), version: 1 };
    vault.vault.fault({ method: "POST", path: "secret/data/*" }, fault);
    expect(await store.read(of, await put(of))).toBe(PLAIN);
    expect(await store.values(of.secretId)).toHaveLength(1);
  });

  it("waits as long as it is told", async () => {
    vault.vault.fault(ANY, { kind: "rate-limited", retryAfterSeconds: 7 });
    await expect(put()).rejects.toMatchObject({ retryAfterMs: 7_000 });
  });

  it("a removal that did not do what it said is not taken for done", async () => {
    const of = { secretId: randomUUID(), version: 1 };
    const stored = await put(of);
    if (stored.kind !== "named") expect.fail("not named");
    const value = { ...of, name: stored.name };
    vault.vault.fault({ path: "secret/destroy/*" }, { kind: "answer", status: 204 });
    expect(await codeOf(store.remove(value))).toBe("VALUE_STORE_UNAVAILABLE");
    vault.vault.fault({ method: "DELETE", path: "secret/metadata/*" }, { kind: "answer", status: 204 });
    expect(await codeOf(store.remove(value))).toBe("VALUE_STORE_UNAVAILABLE");
    expect(await store.values(of.secretId)).toEqual([value]);
    await store.remove(value);
    expect(await store.values(of.secretId)).toEqual([]);
  });

  it("an engine of version 1, or none, is refused, and nothing is put there", async () => {
    vault.vault.unmount("secret");
    try {
      expect(await codeOf(put())).toBe("VALUE_STORE_REFUSED");
      vault.vault.mount("kv-v1", "secret");
      store = vault.values(storeId);
      expect(await codeOf(put())).toBe("VALUE_STORE_REFUSED");
      expect(vault.vault.request("LIST", "secret").status).toBe(404);
    } finally {
      vault.vault.unmount("secret");
      vault.vault.mount("kv-v2", "secret");
    }
  });

  it("a token that is dead is refused", async () => {
    vault.vault.revoke(vault.token);
    expect(await codeOf(put())).toBe("VALUE_STORE_REFUSED");
  });
});
