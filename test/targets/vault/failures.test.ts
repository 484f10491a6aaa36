/** Servers, tokens and log-ins that refuse: a clear error with its remedy, nothing written, and nothing secret said. */
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeSelfSigned } from "../../../src/adapters/crypto/self-signed.ts";
import type { Fault } from "../../../src/simulator/vault/vault.ts";
import { address, CANARY, change, failure, MOUNT, never, order, PATH, VaultKit } from "./kit.ts";

const kit = new VaultKit();
const AT = `${MOUNT}/data/${PATH}`;

beforeEach(() => kit.start());
afterEach(() => kit.stop());

const look = (opening = {}) => kit.open(opening).observe([address("AUTH")], never);
const write = (opening = {}) => kit.open(opening).apply(change({ AUTH: CANARY }), order(1), never);

describe("what a server answers", () => {
  it.each([
    ["sealed", { kind: "sealed" }, "TARGET_UNAVAILABLE"],
    ["a locked API", { kind: "api-locked" }, "TARGET_UNAVAILABLE"],
    ["a standby that does not forward", { kind: "standby-redirect" }, "TARGET_UNAVAILABLE"],
    ["no active node", { kind: "no-active-node", form: "not-found" }, "TARGET_UNAVAILABLE"],
    ["maintenance of its storage", { kind: "storage-error" }, "TARGET_UNAVAILABLE"],
    ["an audit device that blocks", { kind: "audit-blocked", executed: false }, "TARGET_UNAVAILABLE"],
    ["a bad gateway", { kind: "bad-gateway" }, "TARGET_UNAVAILABLE"],
    ["a page", { kind: "html" }, "TARGET_PROTOCOL"],
    ["no JSON", { kind: "not-json" }, "TARGET_PROTOCOL"],
    ["another shape", { kind: "wrong-shape" }, ["TARGET_PROTOCOL", "TARGET_MISSING"]],
    ["an upgrade of the engine", { kind: "upgrading" }, "TARGET_UNAVAILABLE"],
    ["a quota", { kind: "rate-limited", retryAfterSeconds: 7 }, "TARGET_RATE_LIMITED"],
    ["a quota that does not say how long", { kind: "rate-limited" }, "TARGET_RATE_LIMITED"],
    ["a policy that refuses", { kind: "policy-denied" }, "TARGET_PERMISSION"],
    ["a cut line", { kind: "cut", executed: false }, "TARGET_UNAVAILABLE"],
  ] as const satisfies readonly (readonly [string, Fault, unknown])[])(
    "%s, to a look",
    async (_what, fault, codes) => {
      kit.put({ AUTH: CANARY });
      kit.vault.fault({ method: "GET", path: AT, times: "always" }, fault as Fault);
      const error = await failure(look());
      expect([codes].flat()).toContain(error.code);
      expect(error.hint).not.toBe("");
      if (fault.kind === "rate-limited")
        expect(error.retryAfterMs).toBe("retryAfterSeconds" in fault ? 7_000 : 1_000);
      // Nothing is written on what could not be read.
      expect([codes].flat()).toContain((await failure(write())).code);
      expect(kit.writes()).toBe(0);
    },
  );

  it("too large, to a write", async () => {
    kit.vault.fault(
      { method: "POST", path: AT },
      { kind: "answer", status: 413, body: { errors: ["request body too large"] } },
    );
    expect(await failure(write())).toMatchObject({ code: "VALUE_INVALID" });
    await kit.stop();
    await kit.start({ maxEntryBytes: 1_000 });
    const error = await failure(kit.open().apply(change({ AUTH: "x".repeat(2_000) }), order(1), never));
    expect(["VALUE_INVALID", "TARGET_OUTCOME_UNKNOWN"]).toContain(error.code);
    expect(kit.stored()).toBeNull();
  });
});

describe("a credential", () => {
  it("that is dead, was never one, or lacks rights is told apart", async () => {
    const dead = kit.vault.token({ policies: ["target"] });
    kit.vault.revoke(dead);
    for (const token of [dead, "hvs.never"]) {
      const error = await failure(write({ token }));
      expect(error).toMatchObject({ code: "TARGET_CREDENTIAL_REJECTED" });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(token);
      const { checks } = await kit.open({ token }).probe(never);
      expect(checks).toHaveLength(1);
      expect(JSON.stringify(checks)).not.toContain(token);
    }
    expect((await failure(write({ token: kit.vault.token({ policies: [] }) }))).code).toBe(
      "TARGET_PERMISSION",
    );
    expect(kit.writes()).toBe(0);
  });

  it("of an AppRole logs in, logs in anew when its token is gone, and is told when it is refused", async () => {
    const role = kit.vault.approle("api", { token_policies: ["target"], token_ttl: "1h" }, "machines");
    const secretId = role.secretId();
    const appRole = { roleId: role.roleId, secretId, mount: "machines" };
    const keepCredentials = async () => {};
    const target = () => kit.open({ vault: { appRole }, context: { keepCredentials } });
    await target().apply(change({ AUTH: "one" }), order(1), never);
    await target().apply(change({ AUTH: "two" }), order(2), never);
    // One line for both.
    const logins = () => kit.vault.calls.list({ path: "auth/machines/login" }).length;
    expect(logins()).toBe(1);
    expect((await target().probe(never)).checks.filter(({ ok }) => !ok)).toEqual([]);
    role.removeRole();
    const wrong = { ...appRole, secretId: "wrong-secret-id" };
    const error = await failure(write({ vault: { appRole: wrong } }));
    expect(error).toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
      hint: expect.stringContaining("machines"),
    });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("wrong-secret-id");
  });

  it("that was wrapped is unwrapped once, kept before it is used, and never where it could not be kept", async () => {
    const role = kit.vault.approle("api", { token_policies: ["target"], token_ttl: "1h" });
    const wrappedSecretId = role.wrappedSecretId();
    const appRole = { roleId: role.roleId, wrappedSecretId, role: "api" };
    const refused = () => kit.open({ vault: { appRole } });
    expect(refused).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", hint: expect.stringContaining("lockstep apply") }),
    );
    expect(kit.vault.calls.list()).toEqual([]);

    const kept: Record<string, unknown>[] = [];
    const keepCredentials = async (credentials: object) => {
      expect(kit.vault.calls.list({ path: "auth/approle/login" })).toEqual([]);
      kept.push(credentials as Record<string, unknown>);
    };
    await kit
      .open({ vault: { appRole }, context: { keepCredentials } })
      .apply(change({ AUTH: "one" }), order(1), never);
    expect(kept).toMatchObject([{ roleId: role.roleId, secretId: expect.any(String) }]);

    // After a restart: from what was kept, and giving the same wrapping token again changes nothing.
    const kind = kit.kind(true, true);
    const given = kind.parse(kit.raw({ vault: { appRole } }));
    const [stored = {}] = kept as never[];
    expect(kind.cameFrom?.(stored, given.credentials ?? {})).toBe(true);
    expect(kind.cameFrom?.(stored, { ...given.credentials, wrappedSecretId: role.wrappedSecretId() })).toBe(
      false,
    );
    const again = kind.open(given.config, stored, {
      targetName: "t",
      budget: { take: async () => {}, report: async () => {} },
      storeId: "s",
      revisionMarker: true,
      keepCredentials,
    });
    await again.observe([address("AUTH")], never);
    expect(kept).toHaveLength(1);

    // Somebody else unwrapped it first.
    const stolen = role.wrappedSecretId();
    kit.vault.request("POST", "sys/wrapping/unwrap", undefined, { "x-vault-token": stolen });
    const error = await failure(
      kit
        .open({ vault: { appRole: { ...appRole, wrappedSecretId: stolen } }, context: { keepCredentials } })
        .observe([], never),
    );
    expect(error.code).toBe("TARGET_CREDENTIAL_REJECTED");
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(stolen);
  });

  it("that is missing is asked for where it belongs", () => {
    const kind = kit.kind();
    const context = {
      targetName: "t",
      budget: { take: async () => {}, report: async () => {} },
      storeId: "s",
      revisionMarker: true,
    };
    const { config } = kind.parse(kit.raw());
    for (const credentials of [null, {}, { roleId: "r", secretId: "s" }])
      expect(() => kind.open(config, credentials, context)).toThrow(
        expect.objectContaining({
          code: "TARGET_CREDENTIAL_REJECTED",
          hint: expect.stringContaining("VAULT_TOKEN"),
        }),
      );
    const byRole = kind.parse(kit.raw({ vault: { appRole: { roleId: "r", secretId: "s" } } })).config;
    for (const credentials of [null, { token: "x" }, { roleId: "r" }])
      expect(() => kind.open(byRole, credentials, context)).toThrow(
        expect.objectContaining({
          code: "TARGET_CREDENTIAL_REJECTED",
          hint: expect.stringContaining("appRole"),
        }),
      );
  });
});

describe("TLS", () => {
  const own = makeSelfSigned(new Date());
  const other = makeSelfSigned(new Date());

  it("is verified with the given authority, and no request leaves where it does not fit", async () => {
    await kit.stop();
    await kit.start({ tls: { key: own.privateKeyPem, cert: own.certificatePem } });
    expect(kit.vault.address).toMatch(/^https:/);
    for (const ca of [{}, { ca: other.certificatePem }]) {
      const error = await failure(write({ vault: ca }));
      expect(error).toMatchObject({
        code: "TARGET_PROTOCOL",
        message: expect.stringContaining("certificate"),
        hint: expect.stringContaining("`ca`"),
      });
    }
    expect(kit.vault.calls.list()).toEqual([]);
  });
});
