import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { isRingAway, LockstepError } from "../../../src/core/errors.ts";
import { parseKeyId } from "../../../src/core/key-id.ts";
import type { KeyRing } from "../../../src/core/ports/key-ring.ts";
import { VAULT_MODES } from "../../../src/simulator/vault/vault.ts";
import { startVaultForRings, type VaultForRings } from "../../support/vault-ring.ts";
import { describeKeyRing } from "./suite.ts";

for (const mode of VAULT_MODES)
  describeKeyRing(`Transit at ${mode}`, async () => {
    const server = await startVaultForRings(mode);
    server.vault.transitKey("other");
    const root = server.vault.rootToken;
    return {
      ring: server.ring(),
      again: () => server.ring(),
      other: () => server.ring({ key: "other", token: root }),
      rotate: () => server.rotate(),
      async close() {
        expect(server.vault.offences).toEqual([]);
        await server.stop();
      },
    };
  });

describe("the key ring over Transit, when Vault does not do what it should", () => {
  const started: VaultForRings[] = [];
  let server: VaultForRings;
  let ring: KeyRing;
  beforeEach(async () => {
    server = await startVaultForRings("openbao-2.6");
    started.push(server);
    ring = server.ring();
  });
  afterAll(() => Promise.all(started.map((one) => one.stop())));

  const KEY = new Uint8Array(32).fill(3);
  const failureOf = (work: Promise<unknown>): Promise<LockstepError> =>
    work.then(
      () => expect.fail("it did not fail"),
      (error: unknown) => {
        if (error instanceof LockstepError) return error;
        throw error;
      },
    );

  it("a missing key is told, and never made, whatever the token may do", async () => {
    for (const token of [server.token, server.vault.rootToken]) {
      const error = await failureOf(server.ring({ key: "nobody-made-it", token }).wrap(KEY, "row"));
      expect(error.code).toBe("KEY_RING_REFUSED");
    }
    server.vault.removeTransitKey("lockstep");
    const error = await failureOf(ring.wrap(KEY, "row"));
    expect(error).toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("vault write -f"),
    });
    for (const key of ["lockstep", "nobody-made-it"])
      expect(server.vault.request("GET", `transit/keys/${key}`).status).toBe(404);
  });

  it("a version that is hidden can be shown again; one that Vault does not know tells of an older backup", async () => {
    const { keyId, wrapped } = await ring.wrap(KEY, "row");
    server.rotate();
    server.configure({ min_decryption_version: 2 });
    const hidden = await failureOf(ring.unwrap(wrapped, keyId, "row"));
    expect(hidden).toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("min_decryption_version=1"),
    });
    expect(await ring.look()).toMatchObject({ oldestOpened: 2 });
    server.configure({ min_decryption_version: 1 });
    expect((await ring.unwrap(wrapped, keyId, "row"))[0]).toBe(3);
    const { base } = parseKeyId(keyId);
    const unknown = await failureOf(ring.unwrap(wrapped, `${base}-v7`, "row"));
    expect(unknown).toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("older backup"),
    });
  });

  it("a key of this name at another server, or made anew, does not open", async () => {
    const { keyId, wrapped } = await ring.wrap(KEY, "row");
    const elsewhere = await startVaultForRings();
    started.push(elsewhere);
    expect((await failureOf(elsewhere.ring().unwrap(wrapped, keyId, "row"))).code).toBe("SEALED_UNREADABLE");
  });

  it("a key that was deleted softly names how it is restored", async () => {
    await ring.wrap(KEY, "row");
    server.configure({ deletion_allowed: true });
    server.vault.request("DELETE", "transit/keys/lockstep/soft-delete");
    const error = await failureOf(ring.wrap(KEY, "row"));
    expect(error).toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("soft-delete-restore"),
    });
  });

  it("a derived key is refused in words", async () => {
    server.vault.transitKey("unfit", { derived: true });
    const error = await failureOf(
      server.ring({ key: "unfit", token: server.vault.rootToken }).wrap(KEY, "row"),
    );
    expect(error).toMatchObject({ code: "KEY_RING_REFUSED", hint: expect.stringContaining("aes256-gcm96") });
  });

  it("tells what its key's settings allow", async () => {
    server.configure({ deletion_allowed: true, exportable: true, allow_plaintext_backup: true });
    expect((await ring.look()).risks).toEqual(["deletion-allowed", "exportable", "plaintext-backup"]);
  });

  it.each([
    { kind: "sealed" },
    { kind: "no-active-node" },
    { kind: "audit-blocked", executed: true },
    { kind: "storage-error" },
    { kind: "bad-gateway" },
    { kind: "html" },
    { kind: "not-json" },
    { kind: "wrong-shape" },
    { kind: "standby-redirect" },
    { kind: "cut", executed: true },
    { kind: "answer", status: 400, body: { errors: ["something new that nobody knows"] } },
  ] as const)("$kind: the ring is away, and no text is blamed", async (fault) => {
    const { keyId, wrapped } = await ring.wrap(KEY, "row");
    const handle = server.vault.fault({ path: "transit/*", times: "always" }, fault);
    for (const work of [() => ring.wrap(KEY, "row"), () => ring.unwrap(wrapped, keyId, "row")])
      expect(await failureOf(work())).toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    handle.remove();
    expect((await ring.unwrap(wrapped, keyId, "row"))[0]).toBe(3);
  });

  it("rights that a policy lacks are named", async () => {
    await ring.wrap(KEY, "row");
    server.vault.policy("lockstep-ring", 'path "transit/keys/lockstep" { capabilities = ["read"] }');
    const error = await failureOf(ring.wrap(KEY, "row"));
    expect(isRingAway(error)).toBe(true);
    expect(error).toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining('path "transit/encrypt/lockstep"'),
    });
  });

  it("the rights to encrypt and decrypt are enough", async () => {
    server.vault.policy(
      "lockstep-ring",
      'path "transit/encrypt/lockstep" { capabilities = ["update"] }\npath "transit/decrypt/lockstep" { capabilities = ["update"] }',
    );
    const { keyId, wrapped } = await ring.wrap(KEY, "row");
    expect((await ring.unwrap(wrapped, keyId, "row"))[0]).toBe(3);
    expect(await ring.look()).toEqual({ oldestOpened: null, risks: [] });
  });

  it("many at once are a few requests", async () => {
    await ring.wrap(KEY, "row");
    const before = server.vault.calls.list({ path: "transit/encrypt/lockstep" }).length;
    await Promise.all([...Array(1_000).keys()].map((index) => ring.wrap(KEY, `row ${index}`)));
    expect(server.vault.calls.list({ path: "transit/encrypt/lockstep" }).length - before).toBe(5);
  });
});
