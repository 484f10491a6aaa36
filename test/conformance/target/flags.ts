/** Capabilities do not lie: what is denied is refused, what is claimed works. */
import { describe, expect, it } from "vitest";
import { failure, order, soon, useKit } from "./kit.ts";
import { CANARY, type TargetConformance } from "./place.ts";

export function flagConformance(conformance: TargetConformance): void {
  describe("its capabilities", () => {
    const kit = useKit(conformance);

    it("say whether it can be read", async () => {
      await kit.place.put("KEY", CANARY);
      const [observed] = await kit.observe("KEY");
      if (kit.capabilities.readable) expect(observed?.state).toBe("present");
      else expect(observed?.state).toBe("unreadable");
    });

    it("say whether it can delete", async () => {
      await kit.apply(kit.set({ KEY: "1" }), order(1));
      if (kit.capabilities.deletable) {
        await kit.apply(kit.unset("KEY"), order(2));
        expect(await kit.place.stored("KEY")).toBeNull();
      } else {
        expect((await failure(kit.apply(kit.unset("KEY"), order(2)))).code).toBe("UNSUPPORTED");
        expect(await kit.place.stored("KEY")).toBe("1");
      }
    });

    it("say how long a write may still land, exactly where the place is unfenced", () => {
      expect(kit.capabilities.inFlightMs > 0).toBe(!kit.capabilities.conditionalWrite);
    });

    it("claim deployments exactly where something restarts", async () => {
      const { units } = await kit.target.observe([kit.place.address("KEY")], soon());
      const claims = !["acknowledged", "stored"].includes(kit.capabilities.maxEvidence);
      expect(kit.target.activator !== null).toBe(claims);
      if (kit.target.activator === null) expect(units).toEqual([]);
      if (!kit.capabilities.readable && !claims) expect(kit.capabilities.maxEvidence).toBe("acknowledged");
    });

    it("name units by a global key, with configuration that is JSON", async () => {
      const { units } = await kit.target.observe([kit.place.address("KEY")], soon());
      expect(new Set(units.map(({ key }) => key)).size).toBe(units.length);
      for (const unit of units) {
        expect(JSON.parse(JSON.stringify(unit))).toEqual(unit);
        expect([unit.key, unit.name, unit.kind, unit.followGroup]).not.toContain("");
      }
    });
  });
}
