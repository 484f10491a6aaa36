import { inspect } from "node:util";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { createTransitKeyRing } from "../../src/adapters/crypto/transit-key-ring.ts";
import { VaultFailure, type VaultVerdict } from "../../src/adapters/vault/failure.ts";
import { isRingAway, LockstepError } from "../../src/core/errors.ts";
import { parseKeyId } from "../../src/core/key-id.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";
import { AES_KEY, type PlayedTransit, playTransit } from "../support/played-transit.ts";

const DATA_KEY = new Uint8Array(32).fill(7);

describe("the key ring over Transit", () => {
  let transit: PlayedTransit;
  let ring: KeyRing;
  beforeEach(() => {
    transit = playTransit();
    ring = ringOver(transit);
  });
  const ringOver = (over: PlayedTransit, namespace: string | null = null, key = "lockstep") =>
    createTransitKeyRing({ transit: over, namespace, mount: "transit", key });
  const failing = (verdict: VaultVerdict, options = {}) => {
    transit.failure = new VaultFailure(verdict, "the reason", options);
    return ring.wrap(DATA_KEY, "row").then(
      () => expect.fail("it did not fail"),
      (error: unknown) => {
        if (!(error instanceof LockstepError)) throw error;
        return error;
      },
    );
  };
  const rotate = (latestVersion: number, more = {}) => {
    transit.key = { ...transit.key, latestVersion, ...more };
  };

  it("the key's id names namespace, mount, key and version, and no server", async () => {
    const { keyId } = await ring.wrap(DATA_KEY, "row");
    expect(parseKeyId(keyId).version).toBe(1);
    expect(ring.holds(keyId)).toBe(true);
    expect(ringOver(playTransit("another server")).holds(keyId)).toBe(true);
    for (const other of [ringOver(transit, "team"), ringOver(transit, null, "other")])
      expect(other.holds(keyId)).toBe(false);
    expect(ring.holds(parseKeyId(keyId).base)).toBe(false);
    rotate(12);
    expect(await ring.current()).toBe(keyId.replace("-v1", "-v12"));
  });

  it("calls that come together go out together, at most 200 in one request", async () => {
    const wrapped = await Promise.all(
      [...Array(450).keys()].map((index) => ring.wrap(DATA_KEY, `row ${index}`)),
    );
    expect(transit.batches).toEqual([200, 200, 50]);
    transit.batches.length = 0;
    const opened = await Promise.all(
      wrapped.map(({ keyId, wrapped: text }, index) => ring.unwrap(text, keyId, `row ${index}`)),
    );
    expect(transit.batches).toEqual([200, 200, 50]);
    for (const one of opened) expect(Buffer.from(one).equals(DATA_KEY)).toBe(true);
  });

  it("one item's failure is its own", async () => {
    const wrapped = await Promise.all(["a", "b", "c"].map((row) => ring.wrap(DATA_KEY, row)));
    const second = Buffer.from(wrapped[1]?.wrapped ?? []).toString("base64");
    transit.spoilt = (ciphertext) => ciphertext.endsWith(second);
    const opened = await Promise.allSettled(
      wrapped.map(({ keyId, wrapped: text }, index) =>
        ring.unwrap(text, keyId, ["a", "b", "c"][index] ?? ""),
      ),
    );
    expect(opened.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    // What Vault said tells nothing about the text.
    expect(opened[1]).toMatchObject({ reason: { code: "KEY_RING_UNAVAILABLE" } });
  });

  it("opens under the same associated data alone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (bound, other) => {
        const { keyId, wrapped } = await ring.wrap(DATA_KEY, bound);
        expect(Buffer.from(await ring.unwrap(wrapped, keyId, bound)).equals(DATA_KEY)).toBe(true);
        if (other !== bound)
          await expect(ring.unwrap(wrapped, keyId, other)).rejects.toMatchObject({
            code: "SEALED_UNREADABLE",
          });
      }),
      { numRuns: 30 },
    );
  });

  it("a text that somebody else has encrypted with the key does not open", async () => {
    for (const plain of [DATA_KEY, new Uint8Array(64), new Uint8Array(0), new Uint8Array(65)]) {
      const [found] = await transit.encrypt([plain], AbortSignal.timeout(1_000));
      const text = found !== undefined && "ok" in found ? found.ok : "";
      const wrapped = Buffer.from(text.replace("vault:v1:", ""), "base64");
      await expect(ring.unwrap(wrapped, await ring.current(), "row")).rejects.toMatchObject({
        code: "SEALED_UNREADABLE",
      });
    }
  });

  it("another key and another server are told as what they are", async () => {
    const { keyId, wrapped } = await ring.wrap(DATA_KEY, "row");
    await expect(ringOver(transit, "team").unwrap(wrapped, keyId, "row")).rejects.toMatchObject({
      code: "ROOT_KEY_WRONG",
    });
    await expect(ringOver(playTransit("elsewhere")).unwrap(wrapped, keyId, "row")).rejects.toMatchObject({
      code: "SEALED_UNREADABLE",
    });
  });

  it("a hidden version names the number to set back to; a version of the future names the older backup", async () => {
    rotate(3);
    const { keyId, wrapped } = await ring.wrap(DATA_KEY, "row");
    rotate(5, { minDecryptionVersion: 4 });
    await expect(ring.unwrap(wrapped, keyId, "row")).rejects.toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("min_decryption_version=3"),
    });
    rotate(2, { minDecryptionVersion: 1 });
    await expect(ring.unwrap(wrapped, keyId, "row")).rejects.toMatchObject({
      code: "KEY_RING_REFUSED",
      hint: expect.stringContaining("older backup"),
    });
  });

  it("what may pass is unavailable, and what somebody must mend is refused with the remedy", async () => {
    for (const verdict of ["later", "outcome-unknown", "protocol", "invalid", "conflict"] as const)
      expect(await failing(verdict), verdict).toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    for (const verdict of ["absent", "mount", "namespace", "token", "login", "permission"] as const) {
      const error = await failing(verdict);
      expect(error.code, verdict).toBe("KEY_RING_REFUSED");
      expect(error.hint).toMatch(/LOCKSTEP_VAULT|policy/);
    }
    // Mending the namespace is not making an engine, and a wrong certificate is no seal.
    expect((await failing("namespace")).hint).toMatch(/^(?!.*secrets enable).*LOCKSTEP_VAULT_NAMESPACE/);
    expect((await failing("protocol")).hint).toMatch(/LOCKSTEP_VAULT_ADDR and LOCKSTEP_VAULT_CA_FILE/);
    expect((await failing("key", { trouble: "missing" })).hint).toContain(
      "vault write -f transit/keys/lockstep",
    );
    expect(await failing("key", { trouble: "soft-deleted" })).toMatchObject({ code: "KEY_RING_REFUSED" });
    // "Cannot tell": never a text that does not open.
    expect(await failing("key")).toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    expect((await failing("later", { status: 503 })).message).toBe(
      "Cannot seal with the key ring vault-transit transit/lockstep: the reason.",
    );
  });

  it("asks again where it is asked for patience", async () => {
    const { wrap } = ring;
    const limited = new VaultFailure("rate-limited", "too many", { status: 429, retryAfterMs: 1 });
    transit.failure = limited;
    const wrapping = wrap(DATA_KEY, "row");
    const read = transit.readKey;
    transit.readKey = async (signal) => {
      transit.failure = null;
      return read(signal);
    };
    expect((await wrapping).keyId).toBe(await ring.current());
  });

  it("a key of another type, and a derived one, are refused in words before anything is sealed", async () => {
    for (const key of [
      { ...AES_KEY, derived: true },
      { ...AES_KEY, type: "rsa-4096" },
      { ...AES_KEY, type: "hostile \u001b[2J type" },
    ]) {
      const other = playTransit();
      other.key = key;
      await expect(ringOver(other).wrap(DATA_KEY, "row")).rejects.toMatchObject({ code: "KEY_RING_REFUSED" });
      expect(other.plaintexts).toEqual([]);
    }
  });

  it("a token that may not read the key seals and opens all the same", async () => {
    transit.readKey = () => Promise.reject(new VaultFailure("permission", "no", { status: 403 }));
    const { keyId, wrapped } = await ring.wrap(DATA_KEY, "row");
    expect(Buffer.from(await ring.unwrap(wrapped, keyId, "row")).equals(DATA_KEY)).toBe(true);
    expect(await ring.look()).toEqual({ oldestOpened: null, risks: [] });
  });

  it("makes no key: one that is missing is found out before anything is sealed, whatever the token may do", async () => {
    const missing = new VaultFailure("key", "no such key", { status: 400, trouble: "missing" });
    for (const readKey of [missing, new VaultFailure("permission", "no", { status: 403 })]) {
      transit.readKey = () => Promise.reject(readKey);
      transit.decrypt = async (texts) => texts.map(() => ({ failure: missing }));
      await expect(ring.wrap(DATA_KEY, "row")).rejects.toMatchObject({
        code: "KEY_RING_REFUSED",
        message: expect.stringContaining("no such key"),
      });
      expect(transit.plaintexts).toEqual([]);
    }
  });

  it("tells what its key's settings allow", async () => {
    rotate(4, {
      minDecryptionVersion: 2,
      deletionAllowed: true,
      exportable: true,
      allowPlaintextBackup: true,
    });
    expect(await ring.look()).toEqual({
      oldestOpened: 2,
      risks: ["deletion-allowed", "exportable", "plaintext-backup"],
    });
  });

  it("an answer of another form is not taken", async () => {
    for (const garbled of [
      "",
      "vault:v0:AAAA",
      "vault:v1:",
      "vault:v1:AAAA\n",
      "vault:1:AAAA",
      "vault:v1:AAB=",
      "v1",
    ]) {
      transit.garbled = garbled;
      await expect(ring.wrap(DATA_KEY, "row"), garbled).rejects.toMatchObject({
        code: "KEY_RING_UNAVAILABLE",
      });
    }
  });

  it("no data key stands in an error", async () => {
    const canary = Buffer.from("canary-data-key-of-32-bytes-long").subarray(0, 32);
    const forms = [
      canary.toString(),
      canary.toString("base64"),
      canary.toString("base64url"),
      canary.toString("hex"),
    ];
    const { keyId, wrapped } = await ring.wrap(canary, "row");
    const errors: unknown[] = [await ring.unwrap(wrapped, keyId, "other").catch((error: unknown) => error)];
    for (const verdict of ["later", "permission", "key"] as const) {
      transit.failure = new VaultFailure(verdict, "the reason");
      errors.push(await ring.wrap(canary, "row").catch((error: unknown) => error));
      errors.push(await ring.unwrap(wrapped, keyId, "row").catch((error: unknown) => error));
    }
    for (const error of errors) {
      expect(error instanceof LockstepError && (isRingAway(error) || error.family === "integrity")).toBe(
        true,
      );
      const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
      for (const form of forms) expect(shown).not.toContain(form);
    }
  });
});
