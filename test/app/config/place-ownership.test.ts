import { expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnAStore("who owns a key", (getDatabase) => {
  const kit = useConfigKit(getDatabase);

  const both = (...targets: string[]) => targets.map((target) => ({ target, role: "both" }));
  const twoTargets = () => kit.config({ secrets: { A: both("one", "two") }, targets: { one: {}, two: {} } });

  it("never touches another environment", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    const staging = kit.config({
      environment: "staging",
      secrets: { A: [{ target: "s", role: "both" }] },
      targets: { s: {} },
    });
    await applyConfig(kit.context, TESTER, { config: staging });
    expect(await planConfig(kit.context, TESTER, { config: twoTargets() })).toMatchObject({
      hasChanges: false,
    });
    expect(await planConfig(kit.context, TESTER, { config: staging })).toMatchObject({ hasChanges: false });
  });

  it("lets one binding own a key, also across targets and environments that are one place", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    const alias = kit.config({
      environment: "staging",
      secrets: { B: [{ target: "alias", role: "both", key: "A" }] },
      targets: { alias: { place: "one" } },
    });
    const plan = await planConfig(kit.context, TESTER, { config: alias });
    expect(plan.problems.map(({ code }) => code)).toEqual(["PLACE_TAKEN", "PLACE_TAKEN"]);
    expect(plan.problems[0]?.message).toContain("production/A at production/one");
    await expect(applyConfig(kit.context, TESTER, { config: alias })).rejects.toMatchObject({
      code: "PLACE_TAKEN",
    });
  });

  it("hands a key over within one apply", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    const swapped = kit.config({
      secrets: { A: both("two"), B: [{ target: "one", role: "both", key: "A" }] },
      targets: { one: {}, two: {} },
    });
    await applyConfig(kit.context, TESTER, { config: swapped });
    expect(await planConfig(kit.context, TESTER, { config: swapped })).toMatchObject({ hasChanges: false });
  });

  it("has the store's last word on who owns a key", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    const bindings = await kit.loop.rows<{ id: string; target: string }>(
      "select id, target_id as target from binding order by id",
    );
    const claims = bindings.map(({ id, target }) =>
      kit.context.store.transaction((tx) =>
        tx.config.claim({
          place: "p",
          key: "K",
          placement: "",
          slot: "primary",
          targetId: target,
          bindingId: id,
        }),
      ),
    );
    const results = await Promise.allSettled(claims);
    const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
    expect(refused).toMatchObject([{ code: "PLACE_TAKEN" }]);
    expect(refused[0]).toMatchObject({ message: expect.stringContaining("production/A owns it at") });
  });

  it("lets two applies of the same configuration race, and makes everything once", async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => applyConfig(kit.context, TESTER, { config: twoTargets() })),
    );
    expect(results.some((result) => result.status === "fulfilled")).toBe(true);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "PLAN_CHANGED" });
    }
    expect(await kit.loop.rows("select 1 from binding")).toHaveLength(2);
    expect(await kit.loop.rows("select 1 from audit_entry where action = 'config.applied'")).not.toEqual([]);
    expect(await planConfig(kit.context, TESTER, { config: twoTargets() })).toMatchObject({
      hasChanges: false,
    });
  });
});
