import { expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { introduceVersion } from "../../../src/app/versions/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnAStore("taking things out of a configuration", (getDatabase) => {
  const kit = useConfigKit(getDatabase);

  const both = (...targets: string[]) => targets.map((target) => ({ target, role: "both" }));
  const twoTargets = () => kit.config({ secrets: { A: both("one", "two") }, targets: { one: {}, two: {} } });
  const set = (name: string, value: string) =>
    introduceVersion(kit.context, TESTER, {
      environment: "production",
      name,
      fields: { value: SecretValue.of(value) },
    });
  const settle = () => kit.loop.drain(kit.context);

  it("leaves what it wrote when a binding goes, and deletes it with --prune", async () => {
    const config = kit.config({
      secrets: { A: both("one"), B: both("one"), C: both("one") },
      targets: { one: {} },
    });
    await applyConfig(kit.context, TESTER, { config });
    await set("A", "a");
    await set("B", "b");
    await settle();
    const without = kit.config({ secrets: { A: both("one"), C: both("one") }, targets: { one: {} } });
    await applyConfig(kit.context, TESTER, { config: without });
    await settle();
    expect(kit.place("one").values.get("B")).toBe("b");
    const left = await planConfig(kit.context, TESTER, { config: without });
    expect(left).toMatchObject({
      hasChanges: false,
      leftInPlace: [{ secret: "B", target: "one", key: "B" }],
    });

    await applyConfig(kit.context, TESTER, { config: without, prune: true });
    await settle();
    expect(kit.place("one").values.has("B")).toBe(false);
    expect(kit.place("one").values.get("A")).toBe("a");
    expect(await planConfig(kit.context, TESTER, { config: without, prune: true })).toMatchObject({
      hasChanges: false,
      leftInPlace: [],
    });
  });

  it("never deletes what it only adopted", async () => {
    kit.place("one").values.set("B", "was there");
    const config = kit.config({
      secrets: { A: both("one"), B: both("one"), C: both("one") },
      targets: { one: {} },
    });
    await applyConfig(kit.context, TESTER, { config });
    await set("B", "was there");
    await settle();
    const without = kit.config({ secrets: { A: both("one"), C: both("one") }, targets: { one: {} } });
    await applyConfig(kit.context, TESTER, { config: without, prune: true });
    await settle();
    expect(kit.place("one").values.get("B")).toBe("was there");
  });

  it("keeps a target until what was written there is deleted", async () => {
    const config = kit.config({
      secrets: { A: both("one", "two", "three") },
      targets: { one: {}, two: {}, three: {} },
    });
    await applyConfig(kit.context, TESTER, { config });
    await set("A", "a");
    await settle();
    const without = kit.config({ secrets: { A: both("one", "two") }, targets: { one: {}, two: {} } });
    const first = await applyConfig(kit.context, TESTER, { config: without, prune: true });
    expect(first.plan.changes.map(({ text }) => text)).not.toContain("remove target production/three");
    await settle();
    expect(kit.place("three").values.has("A")).toBe(false);
    const second = await applyConfig(kit.context, TESTER, { config: without, prune: true });
    expect(second.plan.changes.map(({ text }) => text)).toEqual(["remove target production/three"]);
    expect(await planConfig(kit.context, TESTER, { config: without })).toMatchObject({ hasChanges: false });
  });

  it("refuses a configuration that lost more than half, unless told", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    const empty = kit.config({});
    await expect(applyConfig(kit.context, TESTER, { config: empty })).rejects.toMatchObject({
      code: "CONFIG_SHRUNKEN",
    });
    expect((await planConfig(kit.context, TESTER, { config: twoTargets() })).hasChanges).toBe(false);
    await applyConfig(kit.context, TESTER, { config: empty, allowShrink: true });
    expect(await planConfig(kit.context, TESTER, { config: empty })).toMatchObject({ hasChanges: false });
  });

  it("brings a removed secret and target back with their history", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await set("A", "first");
    await settle();
    await applyConfig(kit.context, TESTER, { config: kit.config({}), allowShrink: true });
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await settle();
    const plan = await planConfig(kit.context, TESTER, { config: twoTargets() });
    expect(plan.places.map(({ place }) => place)).toEqual([
      { state: "equal", version: 1 },
      { state: "equal", version: 1 },
    ]);
  });

  it("gives the places of a secret that comes back its value again", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await set("A", "first");
    await settle();
    await applyConfig(kit.context, TESTER, { config: kit.config({}), allowShrink: true });
    kit.place("one").values.delete("A");
    const { plan } = await applyConfig(kit.context, TESTER, { config: twoTargets(), askNew: true });
    expect(plan.places.map(({ place }) => place.state)).toEqual(["would-set", "equal"]);
    await settle();
    expect(kit.place("one").values.get("A")).toBe("first");
  });

  it("gives a target that moved its values anew, and leaves the old place as it is", async () => {
    const at = (place: string) => kit.config({ secrets: { A: both("one") }, targets: { one: { place } } });
    await applyConfig(kit.context, TESTER, { config: at("first") });
    await set("A", "value");
    await settle();
    const { plan } = await applyConfig(kit.context, TESTER, { config: at("second"), prune: true });
    expect(plan.places[0]?.place).toEqual({ state: "would-set", now: "absent" });
    await settle();
    expect(kit.place("second").values.get("A")).toBe("value");
    expect(kit.place("first").values.get("A")).toBe("value");
    expect(await planConfig(kit.context, TESTER, { config: at("second") })).toMatchObject({
      hasChanges: false,
      leftInPlace: [],
    });
  });

  it("does not delete at the new place what it wrote at the old one", async () => {
    const config = (place: string, key: string) =>
      kit.config({
        secrets: { A: [{ target: "one", role: "both", key }], B: [], C: [] },
        targets: { one: { place } },
      });
    await applyConfig(kit.context, TESTER, { config: config("first", "OLD"), allowShrink: true });
    await set("A", "value");
    await settle();
    kit.place("second").values.set("OLD", "value");
    const moved = { config: config("second", "NEW"), prune: true, allowShrink: true };
    const { plan } = await applyConfig(kit.context, TESTER, moved);
    expect(plan.changes.filter(({ action }) => action === "delete")).toEqual([]);
    await settle();
    expect(kit.place("second").values.get("OLD")).toBe("value");
    expect(kit.place("first").values.get("OLD")).toBe("value");
  });

  it("forgets a deletion that had not happened when the target moved", async () => {
    const config = (place: string, ...secrets: string[]) =>
      kit.config({
        secrets: { A: [], B: [], ...Object.fromEntries(secrets.map((name) => [name, both("one")])) },
        targets: { one: { place } },
      });
    await applyConfig(kit.context, TESTER, { config: config("first", "A", "B") });
    await set("A", "a");
    await set("B", "b");
    await settle();
    await applyConfig(kit.context, TESTER, { config: config("first", "A"), prune: true });
    kit.place("second").values.set("B", "b");
    await applyConfig(kit.context, TESTER, { config: config("second", "A") });
    await settle();
    expect(kit.place("second").values.get("B")).toBe("b");
    expect(kit.place("second").values.get("A")).toBe("a");
  });

  it("owns nothing yet at the place that a target moved to", async () => {
    const at = (place: string) => kit.config({ secrets: { A: both("one") }, targets: { one: { place } } });
    await applyConfig(kit.context, TESTER, { config: at("first") });
    await set("A", "ours");
    await settle();
    kit.place("second").values.set("A", "theirs");
    const { kept } = await applyConfig(kit.context, TESTER, { config: at("second") });
    await settle();
    expect(kept).toHaveLength(1);
    expect(kit.place("second").values.get("A")).toBe("theirs");
  });
});
