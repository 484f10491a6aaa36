/** What every key ring keeps to, wherever its root is: thin files beside this one hold each kind to it. */
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSealer } from "../../../src/adapters/crypto/sealer.ts";
import { formatKeyId, isAtLeast, parseKeyId } from "../../../src/core/key-id.ts";
import type { KeyRing } from "../../../src/core/ports/key-ring.ts";

export interface RingPlace {
  readonly ring: KeyRing;
  /** Over the same root, as another process has it. */
  again(): KeyRing;
  /** Over another root. */
  other(): KeyRing;
  /** Null: its key has no versions. */
  readonly rotate: (() => void) | null;
  close(): Promise<void>;
}

export function describeKeyRing(kind: string, open: () => Promise<RingPlace>): void {
  describe(`key ring: ${kind}`, () => {
    let place: RingPlace;
    let ring: KeyRing;
    beforeAll(async () => {
      place = await open();
      ring = place.ring;
    });
    afterAll(() => place.close());

    it("opens what it wrapped, in any process, under the same associated data alone", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ minLength: 32, maxLength: 32 }),
          fc.string({ unit: "grapheme-ascii" }),
          fc.string(),
          async (dataKey, bound, other) => {
            const { keyId, wrapped } = await ring.wrap(dataKey, bound);
            expect(Buffer.from(await place.again().unwrap(wrapped, keyId, bound)).equals(dataKey)).toBe(true);
            if (other !== bound)
              await expect(ring.unwrap(wrapped, keyId, other)).rejects.toMatchObject({
                code: "SEALED_UNREADABLE",
              });
          },
        ),
        { numRuns: 15 },
      );
    });

    it("names its keys: what it wraps under, it holds, and no other ring does", async () => {
      const { keyId } = await ring.wrap(randomBytes(32), "row");
      expect(keyId).toMatch(/^[A-Za-z0-9_-]{16}(?:-v[1-9]\d*)?$/);
      expect(await ring.current()).toBe(keyId);
      expect(ring.holds(keyId)).toBe(true);
      expect(place.again().holds(keyId)).toBe(true);
      expect(place.other().holds(keyId)).toBe(false);
      for (const never of ["", "x", `x${keyId.slice(1)}x`, `${keyId}-v`])
        expect(ring.holds(never)).toBe(false);
      expect(ring.name).toMatch(/^[a-z-]+( \S+)?$/);
    });

    it("a text of another ring is named as such; no changed bit of one of its own opens", async () => {
      const { keyId, wrapped } = await ring.wrap(randomBytes(32), "row");
      const foreign = await place.other().wrap(randomBytes(32), "row");
      await expect(ring.unwrap(foreign.wrapped, foreign.keyId, "row")).rejects.toMatchObject({
        code: "ROOT_KEY_WRONG",
      });
      const changed = [foreign.wrapped, wrapped.subarray(1), Buffer.concat([wrapped, Buffer.from([0])])];
      for (let at = 0; at < wrapped.length; at += 1) {
        const flipped = Buffer.from(wrapped);
        flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
        changed.push(flipped);
      }
      const outcomes = await Promise.allSettled(changed.map((one) => ring.unwrap(one, keyId, "row")));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: "SEALED_UNREADABLE" } });
    });

    it("many at once are answered each with its own", async () => {
      const keys = Array.from({ length: 450 }, () => randomBytes(32));
      const wrapped = await Promise.all(keys.map((key, index) => ring.wrap(key, `row ${index}`)));
      const opened = await Promise.all(
        wrapped.map(({ keyId, wrapped: text }, index) => ring.unwrap(text, keyId, `row ${index}`)),
      );
      expect(opened.every((key, index) => keys[index]?.equals(key))).toBe(true);
    });

    it("a rotated key still opens what is older, and wraps under its newest version", async () => {
      const { rotate } = place;
      if (rotate === null) {
        expect(parseKeyId(await ring.current()).version).toBe(0);
        return;
      }
      const before = await ring.wrap(Buffer.alloc(32, 1), "row");
      rotate();
      const after = await ring.wrap(Buffer.alloc(32, 2), "row");
      const { base, version } = parseKeyId(before.keyId);
      expect(after.keyId).toBe(formatKeyId({ base, version: version + 1 }));
      expect(isAtLeast(after.keyId, before.keyId)).toBe(true);
      expect((await ring.unwrap(before.wrapped, before.keyId, "row"))[0]).toBe(1);
      expect((await place.again().unwrap(after.wrapped, after.keyId, "row"))[0]).toBe(2);
      // The version that a text names is part of it.
      await expect(ring.unwrap(before.wrapped, after.keyId, "row")).rejects.toMatchObject({
        code: "SEALED_UNREADABLE",
      });
    });

    it("seals and opens values of any kind, through envelopes", async () => {
      const sealer = createSealer([ring]);
      await fc.assert(
        fc.asyncProperty(fc.string({ maxLength: 200 }), async (plain) => {
          expect(await sealer.open(await sealer.seal(plain, "row"), "row")).toBe(plain);
        }),
        { numRuns: 10 },
      );
    });

    it("tells of its key what may be told, and a data key stands in no error", async () => {
      expect((await ring.look()).risks).toEqual([]);
      const canary = Buffer.from("canary-data-key-of-32-bytes-long");
      const { keyId, wrapped } = await ring.wrap(canary, "row");
      const error = await ring.unwrap(wrapped, keyId, "other").catch((thrown: unknown) => thrown);
      const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
      for (const form of ["latin1", "base64", "base64url", "hex"] as const)
        expect(shown).not.toContain(canary.toString(form));
    });
  });
}
