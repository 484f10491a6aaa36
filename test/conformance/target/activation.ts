/** Units restart once per request, and are followed to what really runs. */
import { describe, expect, it } from "vitest";
import type { ActivationProgress, Activator, FollowedActivation } from "../../../src/core/ports/activator.ts";
import type { UnitSpec } from "../../../src/core/ports/place.ts";
import { itWhere } from "../../support/it-where.ts";
import { order, soon, useKit } from "./kit.ts";
import type { TargetConformance } from "./place.ts";

export function activationConformance(conformance: TargetConformance): void {
  describe("its units", () => {
    const kit = useKit(conformance);

    async function onlyUnit(): Promise<{ activator: Activator; unit: UnitSpec } | null> {
      const { activator } = kit.target;
      const { units } = await kit.target.observe([kit.place.address("KEY")], soon());
      const [unit] = units;
      if (activator === null) {
        // Only a place that claims no more than storing has nothing to restart; then there is nothing to test.
        expect(["acknowledged", "stored"]).toContain(kit.capabilities.maxEvidence);
        return null;
      }
      if (unit === undefined) throw new Error("it has an activator, and no unit for a key that it holds");
      return { activator, unit };
    }

    async function restart(activator: Activator, unit: UnitSpec) {
      const { knownIds, dormant } = await activator.prepare(unit, soon());
      expect(dormant).toBe(false);
      const { id } = await activator.activate(unit, soon());
      return { unit, id, knownIds, requestedAgoMs: 0 };
    }

    /** Asks until it is decided. */
    async function follow(activator: Activator, asked: FollowedActivation): Promise<ActivationProgress> {
      const limit = soon();
      for (;;) {
        const [progress] = await activator.follow([asked], limit);
        if (progress === undefined) throw new Error("no answer for what was asked");
        if (progress.state !== "running") return progress;
        limit.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }

    it("restart with what was written, and are then newer than what was known", async () => {
      await kit.apply(kit.set({ KEY: "new" }), order(1));
      const found = await onlyUnit();
      if (found === null) return;
      const asked = await restart(found.activator, found.unit);
      const { set } = kit.set({ KEY: "new" });
      const progress = await follow(found.activator, { ...asked, expected: set });
      expect(progress.state).toBe("succeeded");
      if (progress.state === "succeeded") {
        expect(asked.knownIds).not.toContain(progress.id);
        expect(JSON.parse(JSON.stringify(progress.incarnation))).toEqual(progress.incarnation);
      }
    });

    it("did not start when nothing was asked for", async () => {
      await kit.apply(kit.set({ KEY: "new" }), order(1));
      const found = await onlyUnit();
      if (found === null) return;
      const { knownIds } = await found.activator.prepare(found.unit, soon());
      const asked = { unit: found.unit, id: null, knownIds, requestedAgoMs: 0, expected: [] };
      expect((await follow(found.activator, asked)).state).toBe("not-started");
    });

    itWhere(conformance.comparesStartValues === true)(
      "are outdated when they were started with something else",
      async () => {
        await kit.apply(kit.set({ KEY: "old" }), order(1));
        const found = await onlyUnit();
        if (found === null) return;
        const asked = await restart(found.activator, found.unit);
        const { set } = kit.set({ KEY: "other" });
        expect((await follow(found.activator, { ...asked, expected: set })).state).toBe("outdated");
      },
    );

    itWhere(conformance.failActivation !== undefined)(
      "fail, and that is told apart from silence",
      async () => {
        await kit.apply(kit.set({ KEY: "new" }), order(1));
        const found = await onlyUnit();
        if (found === null) return;
        const { knownIds } = await found.activator.prepare(found.unit, soon());
        await conformance.failActivation?.(kit.place, found.unit);
        const started = await found.activator.activate(found.unit, soon()).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "ACTIVATION_FAILED" });
          return null;
        });
        if (started === null) return;
        const asked = { unit: found.unit, id: started.id, knownIds, requestedAgoMs: 0, expected: [] };
        expect((await follow(found.activator, asked)).state).toBe("failed");
      },
    );

    it("are answered one by one, in the order asked", async () => {
      await kit.apply(kit.set({ KEY: "new" }), order(1));
      const found = await onlyUnit();
      if (found === null) return;
      const { knownIds } = await found.activator.prepare(found.unit, soon());
      const asked = { unit: found.unit, id: null, knownIds, requestedAgoMs: 0, expected: [] };
      expect(await found.activator.follow([asked, asked], soon())).toHaveLength(2);
      expect(await found.activator.follow([], soon())).toEqual([]);
    });
  });
}
