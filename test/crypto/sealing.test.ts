import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFingerprinter, newFingerprintKey, sameValue } from "../../src/adapters/crypto/fingerprint.ts";
import { createLocalKeyRing, keyIdOf } from "../../src/adapters/crypto/local-key-ring.ts";
import { createSealer } from "../../src/adapters/crypto/sealer.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

const KEY_A = new Uint8Array(32).fill(1);
const KEY_B = new Uint8Array(32).fill(2);
const sealer = createSealer([createLocalKeyRing(KEY_A)]);

describe("sealing", () => {
  it("opens what it sealed, and only under the same associated data", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.string(),
        fc.string(),
        async (plain, bound, other) => {
          const sealed = await sealer.seal(plain, bound);
          expect(await sealer.open(sealed, bound)).toBe(plain);
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

  it("no changed bit of any part opens, and no part shorter, longer or of another text", async () => {
    const sealed = (await sealer.seal("canary-51c0", "row 1")).split(".");
    const other = (await sealer.seal("canary-51c0", "row 1")).split(".");
    const withPart = (index: number, part: string): string => sealed.with(index, part).join(".");
    const changed: string[] = [];
    for (const index of [3, 4, 5]) {
      const bytes = Buffer.from(sealed[index] ?? "", "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        changed.push(withPart(index, flipped.toString("base64url")));
      }
      changed.push(withPart(index, bytes.subarray(1).toString("base64url")));
      changed.push(withPart(index, Buffer.concat([bytes, Buffer.from([0])]).toString("base64url")));
      changed.push(withPart(index, other[index] ?? ""), withPart(index, ""));
    }
    changed.push(`${sealed.join(".")}\n`, sealed.slice(0, 5).join("."), "", "plain text");
    for (const text of changed) {
      await expect(sealer.open(text, "row 1"), text).rejects.toMatchObject({ code: "SEALED_UNREADABLE" });
      await expect(sealer.rewrap(text, "row 1", "another"), text).rejects.toMatchObject({
        code: "SEALED_UNREADABLE",
      });
    }
    expect(changed.length).toBeGreaterThan(500);
  });

  it("a text that would come back as another one is refused", async () => {
    await expect(sealer.seal("half \ud800 pair", "row")).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });

  it("the same value is sealed differently every time", async () => {
    expect(await sealer.seal("same", "row")).not.toBe(await sealer.seal("same", "row"));
  });

  it("another root key is named as such", async () => {
    const sealed = await createSealer([createLocalKeyRing(KEY_B)]).seal("x", "row");
    await expect(sealer.open(sealed, "row")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
  });

  it("rewrap moves to a new root key and keeps the content; the old key alone opens it no more", async () => {
    const sealed = await sealer.seal("kept", "row");
    const both = createSealer([createLocalKeyRing(KEY_B), createLocalKeyRing(KEY_A)]);
    const moved = await both.rewrap(sealed, "row", keyIdOf(KEY_B));
    expect(await createSealer([createLocalKeyRing(KEY_B)]).open(moved, "row")).toBe("kept");
    await expect(sealer.open(moved, "row")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    await expect(both.rewrap(sealed, "another row", keyIdOf(KEY_B))).rejects.toMatchObject({
      code: "SEALED_UNREADABLE",
    });
  });

  it("envelopes of earlier releases are read", async () => {
    const vectors = JSON.parse(
      await readFile(new URL("../vectors/envelopes-v1.json", import.meta.url), "utf8"),
    ) as {
      rootKey: string;
      envelopes: { plain: string; associatedData: string; sealed: string }[];
    };
    const frozen = createSealer([createLocalKeyRing(Buffer.from(vectors.rootKey, "base64url"))]);
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

  it("of earlier releases are still the same", async () => {
    const vectors = JSON.parse(
      await readFile(new URL("../vectors/fingerprints-v1.json", import.meta.url), "utf8"),
    ) as { key: string; fingerprints: { secretId: string; value: string; fingerprint: string }[] };
    const frozen = createFingerprinter(vectors.key);
    expect(vectors.fingerprints.length).toBeGreaterThan(2);
    for (const { secretId, value, fingerprint } of vectors.fingerprints) {
      expect(frozen.fingerprint(secretId, SecretValue.of(value))).toBe(fingerprint);
    }
  });

  it("values are compared exactly", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(sameValue(SecretValue.of(left), SecretValue.of(right))).toBe(left === right);
      }),
    );
  });
});
