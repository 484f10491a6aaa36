/** What every value store promises. `put` and `read` are the port's; nothing here knows which store it is. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NamedValueStore, StoredValue, ValueStore } from "../../../src/core/ports/value-store.ts";

const plainOf = (fields: Readonly<Record<string, string>>): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.keys(fields)
        .sort()
        .map((name) => [name, fields[name]]),
    ),
  );

const PLAIN = plainOf({ value: "canary-value" });

/** Text as people and issuers give it: whole characters, of any alphabet. */
const text = fc.string({ unit: "binary", maxLength: 40 });
const fields = fc.dictionary(
  fc.oneof(
    text.filter((one) => one !== ""),
    fc.constant("__proto__"),
  ),
  text,
  {
    minKeys: 1,
    maxKeys: 6,
  },
);

export function describeValueStore(name: string, open: () => ValueStore): void {
  describe(`${name} keeps values`, () => {
    const of = (version = 1) => ({ secretId: randomUUID(), version });
    const put = (store: ValueStore, at: { secretId: string; version: number }, plain = PLAIN) =>
      store.put(at, store.nameFor(at.version), plain);

    it("gives back what was put, to the byte", async () => {
      const store = open();
      await fc.assert(
        fc.asyncProperty(fields, fc.integer({ min: 1, max: 2 ** 31 - 1 }), async (value, version) => {
          const plain = plainOf(value);
          const at = of(version);
          expect(await store.read(at, await put(store, at, plain))).toBe(plain);
        }),
        { numRuns: 30 },
      );
    });

    it("keeps the largest value that Lockstep takes", async () => {
      const store = open();
      const at = of();
      const plain = plainOf({ value: "ä".repeat(65_536) });
      expect(await store.read(at, await put(store, at, plain))).toBe(plain);
    });

    it("refuses half a character instead of changing it", async () => {
      const store = open();
      await expect(put(store, of(), '{"value":"\ud800"}')).rejects.toMatchObject({ code: "VALUE_INVALID" });
    });

    it("versions, and tries for one version, are kept apart", async () => {
      const store = open();
      const [first, second] = [of(1), of(2)];
      const both = { ...second, secretId: first.secretId };
      const kept: [typeof first, StoredValue, string][] = [];
      for (const [at, value] of [
        [first, "a"],
        [first, "b"],
        [both, "c"],
      ] as const) {
        const plain = plainOf({ value });
        kept.push([at, await put(store, at, plain), plain]);
      }
      for (const [at, stored, plain] of kept) expect(await store.read(at, stored)).toBe(plain);
    });

    it("what stands for one version does not open as another's, or another secret's", async () => {
      const store = open();
      const at = of(3);
      const stored = await put(store, at);
      const plain = await store
        .read({ ...at, version: 4 }, stored)
        .catch(({ code }: { code: string }) => code);
      expect(["SEALED_UNREADABLE", "INTERNAL"]).toContain(plain);
      const other = await store.read(of(3), stored).catch(({ code }: { code: string }) => code);
      expect(["SEALED_UNREADABLE", "VALUE_STORE_UNAVAILABLE", "VALUE_STORE_CHANGED"]).toContain(other);
    });

    it("nothing of the value is in what the row says of it", async () => {
      const store = open();
      expect(JSON.stringify(await put(store, of()))).not.toContain("canary");
    });
  });
}

export function describeNamedValueStore(name: string, open: () => NamedValueStore): void {
  describe(`${name} keeps values under names`, () => {
    const at = () => ({ secretId: randomUUID(), version: 1 });
    async function kept(store: NamedValueStore) {
      const of = at();
      const name = store.nameFor(1) ?? expect.fail("no name");
      const stored = await store.put(of, name, PLAIN);
      if (stored.kind !== "named") expect.fail("not named");
      return { of, stored, value: { ...of, name } };
    }

    it("each try has a name of its own", () => {
      const store = open();
      const names = Array.from({ length: 100 }, () => store.nameFor(7));
      expect(new Set(names).size).toBe(100);
      for (const one of names) expect(one).toMatch(/^7-[0-9a-f]{16}$/);
    });

    it("the same put again is the same put; another text is refused, and changes nothing", async () => {
      const store = open();
      const { of, stored, value } = await kept(store);
      expect(await store.put(of, value.name, PLAIN)).toEqual(stored);
      await expect(store.put(of, value.name, plainOf({ value: "another" }))).rejects.toMatchObject({
        code: "VALUE_STORE_CHANGED",
      });
      expect(await store.read(of, stored)).toBe(PLAIN);
      expect(await store.look(value, stored.createdTime)).toBeNull();
    });

    it("two that put the same under one name at once both succeed", async () => {
      const of = at();
      const name = open().nameFor(1);
      const [one, two] = await Promise.all([open().put(of, name, PLAIN), open().put(of, name, PLAIN)]);
      expect(one).toEqual(two);
    });

    it("is found by its secret, and how old it is", async () => {
      const store = open();
      const { of, value } = await kept(store);
      expect(await store.values(of.secretId)).toEqual([value]);
      expect(await store.secrets()).toContain(of.secretId);
      expect(await store.ageMs(value)).toBeLessThan(60_000);
      expect(await store.values(randomUUID())).toEqual([]);
    });

    it("is removed with everything that is known of it; again is well too", async () => {
      const store = open();
      const { of, value } = await kept(store);
      await store.remove(value);
      await store.remove(value);
      expect(await store.values(of.secretId)).toEqual([]);
      expect(await store.ageMs(value)).toBeNull();
    });

    it("leads nobody to a path that is not one of its own", async () => {
      const store = open();
      for (const name of ["../../../x", "1-0123456789abcdef/../x", "2-0123456789abcdef", ""])
        await expect(store.remove({ ...at(), name })).rejects.toMatchObject({ code: "INTERNAL" });
      await expect(
        store.remove({ secretId: "../other", version: 1, name: store.nameFor(1) ?? "" }),
      ).rejects.toMatchObject({ code: "INTERNAL" });
    });
  });
}
