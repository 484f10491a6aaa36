import { describe, expect, it } from "vitest";
import { never, order, redeploy, set, untilFollowed, useRailway } from "./kit.ts";

describe.each([
  { snapshotForm: "rendered", sealedInSnapshot: "null" },
  { snapshotForm: "rendered", sealedInSnapshot: "absent" },
  { snapshotForm: "unrendered", sealedInSnapshot: "value" },
] as const)("snapshots like %j", (behaviour) => {
  const kit = useRailway();

  it("of a sealed key count by the name", async () => {
    await kit.restart({ behaviour });
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: { SEALED: { value: "hidden", sealed: true } },
    });
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    const expected = set({ SEALED: "whatever", OLD: "old" });
    expect((await untilFollowed(target, unit, asked, expected)).state).toBe("succeeded");
  });

  it("of services that refer to a shared key are compared through the reference", async () => {
    await kit.restart({ behaviour });
    await kit.railway.state.setShared({ variables: { TOKEN: "t-1" } });
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({
      name: "uses",
      variables: { AUTH: "Bearer ${{ shared.TOKEN }}", TOKEN: "own", MIXED: "${{KEPT}}-${{shared.TOKEN}}" },
    }));
    const shared = kit.open({ service: null });
    await shared.apply(set({ TOKEN: "t-2" }, "shared"), order(1), never);
    const { units } = await shared.observe([{ placement: "shared", key: "TOKEN" }], never);
    expect(units.map(({ name }) => name)).toEqual(["uses"]);
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    const now = set({ TOKEN: "t-2" }, "shared");
    expect((await untilFollowed(target, unit, asked, now)).state).toBe("succeeded");
    expect((await untilFollowed(shared, unit, asked, now)).state).toBe("succeeded");
    // Its own variable of the same name is another place.
    expect((await untilFollowed(target, unit, asked, set({ TOKEN: "own" }))).state).toBe("succeeded");
    if (behaviour.snapshotForm === "rendered") {
      const later = set({ TOKEN: "t-3" }, "shared");
      expect((await untilFollowed(shared, unit, asked, later)).state).toBe("outdated");
    }
  });
});
