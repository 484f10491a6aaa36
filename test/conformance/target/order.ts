/** Older and newer writes: refused by fenced places, shown by all that carry a mark. */
import { describe, expect, it } from "vitest";
import { failure, order, soon, useKit } from "./kit.ts";
import { CANARY, OTHER_STORE_ID, type TargetConformance } from "./place.ts";

export function orderConformance(conformance: TargetConformance): void {
  describe("the order of writes", () => {
    const kit = useKit(conformance);
    const found = async () => (await kit.target.observe([kit.place.address("KEY")], soon())).orders;

    it("is shown as the mark of the last write", async () => {
      expect(await found()).toEqual([]);
      await kit.apply(kit.set({ KEY: "1" }), order(7));
      expect(await found()).toEqual([order(7)]);
      await kit.apply(kit.set({ KEY: "2" }), order(1, 2));
      expect(await found()).toEqual([order(1, 2)]);
    });

    it("lets the same write come again, and a newer one", async () => {
      await kit.apply(kit.set({ KEY: "1" }), order(3));
      await kit.apply(kit.set({ KEY: "1" }), order(3));
      await kit.apply(kit.set({ KEY: "2" }), order(4));
      expect(await kit.place.stored("KEY")).toBe("2");
    });

    it.each([
      ["an older generation", order(4)],
      ["an older epoch", order(9, 0)],
      ["another store", order(9, 9, OTHER_STORE_ID)],
      ["the same number, given to something else (ruling 29)", { ...order(5), digest: "b".repeat(64) }],
    ])("is refused for %s where the place is fenced; elsewhere the mark tells", async (_what, late) => {
      await kit.apply(kit.set({ KEY: "newer" }), order(5));
      if (!kit.capabilities.conditionalWrite) {
        // Whoever compares the mark before writing sees that it is not the newest.
        expect(await found()).toEqual([order(5)]);
        return;
      }
      expect((await failure(kit.apply(kit.set({ KEY: CANARY }), late))).code).toBe("ORDER_REFUSED");
      expect(await kit.place.stored("KEY")).toBe("newer");
      expect(await found()).toEqual([order(5)]);
    });

    it("of two writers at once leaves one whole change of them", async () => {
      const results = await Promise.allSettled([
        kit.apply(kit.set({ KEY: "a", OTHER: "a" }), order(1)),
        kit.apply(kit.set({ KEY: "b", OTHER: "b" }), order(2)),
      ]);
      const stands = [await kit.place.stored("KEY"), await kit.place.stored("OTHER")];
      expect(stands[0]).toBe(stands[1]);
      if (kit.capabilities.conditionalWrite && results[1].status === "fulfilled") expect(stands[0]).toBe("b");
      for (const result of results) {
        if (result.status === "rejected") {
          const { code } = await failure(Promise.reject(result.reason));
          expect(["ORDER_REFUSED", "WRITE_CONFLICT"]).toContain(code);
        }
      }
    });
  });
}
