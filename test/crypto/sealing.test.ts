import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFingerprinter, newFingerprintKey, sameValue } from "../../src/adapters/crypto/fingerprint.ts";
import { createLocalKeyRing } from "../../src/adapters/crypto/local-key-ring.ts";
import { createRootKey, readRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { createSealer } from "../../src/adapters/crypto/sealer.ts";
import { openStoreKeys } from "../../src/adapters/crypto/store-keys.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { describeOnEachStore } from "../support/database.ts";

const KEY_A = new Uint8Array(32).fill(1);
const KEY_B = new Uint8Array(32).fill(2);
const sealer = createSealer(createLocalKeyRing([KEY_A]));

describe("sealing", () => {
  it("opens what it sealed, and only under the same associated data", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string(),
        fc.string(),
        async (plain, bound, other) => {
          const sealed = await sealer.seal(plain, bound);
          expect(await sealer.open(sealed, bound)).toBe(Buffer.from(plain).toString());
          if (other !== bound) {
            await expect(sealer.open(sealed, other)).rejects.toMatchObject({ code: "SEALED_UNREADABLE" });
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("no changed character opens", async () => {
    const sealed = await sealer.seal("canary-51c0", "row 1");
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
      const error = await sealer.open(changed, "row 1").catch((failure: unknown) => failure);
      expect(error, `position ${at}`).toMatchObject({
        code: expect.stringMatching(/^(SEALED_UNREADABLE|ROOT_KEY_WRONG)$/),
      });
      expect(JSON.stringify(error)).not.toContain("canary-51c0");
    }
  });

  it("the same value is sealed differently every time", async () => {
    expect(await sealer.seal("same", "row")).not.toBe(await sealer.seal("same", "row"));
  });

  it("another root key is named as such", async () => {
    const sealed = await createSealer(createLocalKeyRing([KEY_B])).seal("x", "row");
    await expect(sealer.open(sealed, "row")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it("rewrap moves to a new root key and keeps the content; the old key alone opens it no more", async () => {
    const sealed = await sealer.seal("kept", "row");
    const both = createSealer(createLocalKeyRing([KEY_B, KEY_A]));
    const moved = await both.rewrap(sealed, "row");
    expect(await createSealer(createLocalKeyRing([KEY_B])).open(moved, "row")).toBe("kept");
    await expect(sealer.open(moved, "row")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    await expect(both.rewrap(sealed, "another row")).rejects.toMatchObject({ code: "SEALED_UNREADABLE" });
  });

  it("envelopes of earlier releases are read", async () => {
    const vectors = JSON.parse(
      await readFile(new URL("../vectors/envelopes-v1.json", import.meta.url), "utf8"),
    ) as {
      rootKey: string;
      envelopes: { plain: string; associatedData: string; sealed: string }[];
    };
    const frozen = createSealer(createLocalKeyRing([Buffer.from(vectors.rootKey, "base64url")]));
    expect(vectors.envelopes.length).toBeGreaterThan(2);
    for (const { plain, associatedData, sealed } of vectors.envelopes) {
      expect(await frozen.open(sealed, associatedData)).toBe(plain);
    }
  });
});

describe("fingerprints", () => {
  const fingerprinter = createFingerprinter(newFingerprintKey());
  it("are equal for equal values of one secret, and tell nothing across secrets or keys", () => {
    const value = SecretValue.of("value");
    expect(fingerprinter.fingerprint("s1", value)).toBe(
      fingerprinter.fingerprint("s1", SecretValue.of("value")),
    );
    expect(fingerprinter.fingerprint("s1", value)).not.toBe(fingerprinter.fingerprint("s2", value));
    expect(fingerprinter.fingerprint("s1", value)).not.toBe(
      createFingerprinter(newFingerprintKey()).fingerprint("s1", value),
    );
  });

  it("values are compared exactly", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(sameValue(SecretValue.of(left), SecretValue.of(right))).toBe(left === right);
      }),
    );
  });
});

describe("the root key's file", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-root-key-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("is made for its owner alone, and never overwritten", async () => {
    const path = join(directory, "deeper", "root.key");
    const key = await createRootKey(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readRootKey(path)).toEqual(key);
    await expect(createRootKey(path)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it("that others can read is refused with the remedy", async () => {
    const path = join(directory, "root.key");
    await createRootKey(path);
    await chmod(path, 0o640);
    await expect(readRootKey(path)).rejects.toMatchObject({
      code: "ROOT_KEY_WRONG",
      hint: `chmod 600 ${path}`,
    });
  });

  it.each(["", "short", `${"A".repeat(43)}\n\n`, "!".repeat(43)])(
    "that holds %j is refused",
    async (text) => {
      const path = join(directory, "root.key");
      await writeFile(path, text, { mode: 0o600 });
      await expect(readRootKey(path)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    },
  );
});

describeOnEachStore("the keys of a store", (database) => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-keys-"));
    path = join(directory, "root.key");
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("are made once, and open the same store again; a missing or another key is refused and replaces nothing", async () => {
    const first = await openStoreKeys(database().store, path);
    const sealed = await first.sealer.seal("x", "row");
    const again = await openStoreKeys(database().store, path);
    expect(again.storeId).toBe(first.storeId);
    expect(await again.sealer.open(sealed, "row")).toBe("x");
    expect(again.fingerprinter.fingerprint("s", SecretValue.of("v"))).toBe(
      first.fingerprinter.fingerprint("s", SecretValue.of("v")),
    );

    await rm(path);
    await expect(openStoreKeys(database().store, path)).rejects.toMatchObject({ code: "ROOT_KEY_MISSING" });
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    await createRootKey(path);
    await expect(openStoreKeys(database().store, path)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });
});
