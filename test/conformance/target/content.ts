/** What is written is what stands there, and nothing else changes. */
import { describe, expect, it } from "vitest";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { failure, order, soon, useKit } from "./kit.ts";
import { CANARY, type TargetConformance } from "./place.ts";

const VALUES: readonly string[] = [
  "plain",
  "",
  " blanks around ",
  "line one\nline two",
  "ends with a newline\n",
  "\r\n\t",
  'it\'s "quoted" and `ticked`',
  "back\\slash\\n and \\\\",
  "$HOME ${HOME} $(id) `id` !history %s",
  "a#b # c; d=e&f|g<h>",
  "${{shared.X}}",
  "ünïcödé 🔑 \u202e",
  "\u0000",
  "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n",
  '{"json": ["a", 1, null]}',
  "x".repeat(30_000),
];

export function contentConformance(conformance: TargetConformance): void {
  const { kind } = conformance;
  describe("its content", () => {
    const kit = useKit(conformance);

    it("is observed in the order asked for, with absence as an answer", async () => {
      await kit.apply(kit.set({ ONE: "1", TWO: "2" }));
      const keys = ["TWO", "ABSENT", "ONE"].map((key) => kit.place.address(key));
      const seen = await kit.target.observe(keys, soon());
      expect(seen.keys.map(({ placement, key }) => ({ placement, key }))).toEqual(keys);
      expect(seen.keys.map(({ observed }) => observed.state)).toEqual(["present", "absent", "present"]);
      expect((await kit.target.observe([], soon())).keys).toEqual([]);
    });

    it("is shown for the asked keys alone, and redacts itself", async () => {
      await kit.place.put("FOREIGN", CANARY);
      await kit.apply(kit.set({ OURS: `${CANARY}-ours` }));
      const seen = await kit.target.observe([kit.place.address("OURS")], soon());
      expect(JSON.stringify(seen)).not.toContain(CANARY);
      expect(seen.keys).toHaveLength(1);
    });

    it("is the same after a change was applied twice", async () => {
      await kit.apply(kit.set({ ONE: "1" }));
      await kit.apply(kit.set({ ONE: "1" }));
      expect(await kit.place.stored("ONE")).toBe("1");
      expect(await kit.value("ONE")).toBe("1");
    });

    it("is left alone by an empty change", async () => {
      expect(await kit.apply({ set: [], unset: [] })).toEqual({ outcome: "unchanged" });
      expect((await kit.place.writes()) ?? 0).toBe(0);
    });

    it("keeps what is foreign, and what a change does not name", async () => {
      await kit.place.put("FOREIGN", "theirs");
      await kit.apply(kit.set({ ONE: "1", TWO: "2" }), order(1));
      await kit.apply(kit.set({ ONE: "changed" }), order(2));
      await kit.apply(kit.unset("TWO"), order(3));
      expect(await kit.place.stored("FOREIGN")).toBe("theirs");
      expect(await kit.place.stored("ONE")).toBe("changed");
      expect(await kit.place.stored("TWO")).toBeNull();
    });

    it("loses a key when told, and does not mind that one is gone already", async () => {
      await kit.apply(kit.set({ ONE: "1", TWO: "2", THREE: "3" }), order(1));
      await kit.apply(kit.unset("NEVER_THERE"), order(2));
      await kit.apply(kit.unset("ONE", "NEVER_THERE", "TWO"), order(3));
      await kit.apply(kit.unset("ONE"), order(4));
      expect(await Promise.all(["ONE", "TWO", "THREE"].map((key) => kit.place.stored(key)))).toEqual([
        null,
        null,
        "3",
      ]);
    });

    it("is set and deleted by one change", async () => {
      await kit.apply(kit.set({ OLD: "old" }), order(1));
      await kit.apply({ ...kit.set({ NEW: "new" }), unset: [kit.place.address("OLD")] }, order(2));
      expect([await kit.value("NEW"), await kit.place.stored("OLD")]).toEqual(["new", null]);
    });

    it.each([...VALUES, ...(conformance.moreValues ?? [])])(
      "holds and gives back %j, or refuses it unsent",
      async (value) => {
        const { config } = kind.parse(kit.place.raw);
        let refused: string | null = null;
        try {
          kind.assertHoldable(config, kit.place.address("KEY"), SecretValue.of(value));
        } catch (error) {
          refused = String((error as { code?: unknown }).code);
        }
        if (refused === null) {
          await kit.apply(kit.set({ KEY: value, OTHER: "beside" }));
          expect(await kit.value("KEY")).toBe(value);
          expect(await kit.value("OTHER")).toBe("beside");
        } else {
          expect(refused).toMatch(/^VALUE_/);
          expect((await failure(kit.apply(kit.set({ KEY: value })))).code).toBe(refused);
          expect(await kit.place.stored("KEY")).toBeNull();
        }
      },
    );

    it.each(conformance.badKeys)("refuses the key %j before anything is sent", async (key) => {
      const { config } = kind.parse(kit.place.raw);
      expect(() => kind.assertHoldable(config, kit.place.address(key), null)).toThrow(
        expect.objectContaining({ code: "KEY_INVALID" }),
      );
      expect((await failure(kit.apply(kit.set({ [key]: CANARY })))).code).toBe("KEY_INVALID");
      expect((await kit.place.writes()) ?? 0).toBe(0);
    });
  });
}
