import { beforeEach, expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { introduceVersion } from "../../../src/app/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { type ConfigKit, createConfigKit } from "../../support/config-kit.ts";
import { describeOnEachStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnEachStore("applying a configuration", (getDatabase) => {
  let kit: ConfigKit;

  beforeEach(async () => {
    kit = createConfigKit(getDatabase());
    await kit.loop.reset();
  });

  const both = (...targets: string[]) => targets.map((target) => ({ target, role: "both" }));
  const twoTargets = () => kit.config({ secrets: { A: both("one", "two") }, targets: { one: {}, two: {} } });
  const set = (name: string, value: string) =>
    introduceVersion(kit.context, TESTER, {
      environment: "production",
      name,
      fields: { value: SecretValue.of(value) },
    });
  const settle = () => kit.loop.drain(kit.context);

  it("is convergent: right after an apply the plan has no changes", async () => {
    const config = twoTargets();
    const before = await planConfig(kit.context, TESTER, { config });
    expect(before.hasChanges).toBe(true);
    expect(before.changes.map((change) => change.text)).toEqual([
      "create environment production",
      "create secret production/A",
      "create target production/one",
      "create target production/two",
      "create binding production/A at one as A, both",
      "create binding production/A at two as A, both",
    ]);
    await applyConfig(kit.context, TESTER, { config, expectedPlanDigest: before.digest });
    const after = await planConfig(kit.context, TESTER, { config });
    expect(after).toMatchObject({ hasChanges: false, changes: [], problems: [] });
  });

  it("gives a bound place the secret's value, and touches nothing a second time", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await set("A", "first");
    await settle();
    expect(kit.place("two").values.get("A")).toBe("first");
    const again = await applyConfig(kit.context, TESTER, { config: twoTargets() });
    expect(again).toMatchObject({ reconciling: 0, kept: [] });
    expect(again.plan.places.map(({ place }) => place.state)).toEqual(["equal", "equal"]);
  });

  it("gives a place that joins later the current value", async () => {
    await applyConfig(kit.context, TESTER, {
      config: kit.config({ secrets: { A: both("one") }, targets: { one: {} } }),
    });
    await set("A", "first");
    await settle();
    const { reconciling } = await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await settle();
    expect(reconciling).toBe(1);
    expect(kit.place("two").values.get("A")).toBe("first");
    expect(kit.place("one").writes).toHaveLength(1);
  });

  it("leaves a foreign value until it is told to take it over, and then says so", async () => {
    await applyConfig(kit.context, TESTER, {
      config: kit.config({ secrets: { A: both("one") }, targets: { one: {} } }),
    });
    await set("A", "ours");
    await settle();
    kit.place("two").values.set("A", "theirs");
    const first = await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await settle();
    expect(first.kept.map(({ target, place }) => [target, place.state])).toEqual([["two", "foreign"]]);
    expect(kit.place("two").values.get("A")).toBe("theirs");

    const plan = await planConfig(kit.context, TESTER, { config: twoTargets(), takeOver: ["A@two"] });
    expect(plan.changes.map(({ action, target }) => [action, target])).toEqual([["take-over", "two"]]);
    await applyConfig(kit.context, TESTER, { config: twoTargets(), takeOver: ["A@two"] });
    await settle();
    expect(kit.place("two").values.get("A")).toBe("ours");
    const after = await planConfig(kit.context, TESTER, { config: twoTargets(), takeOver: "all" });
    expect(after.hasChanges).toBe(false);
  });

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

  it("seals a credential with its destination, and does not take the stored one to another", async () => {
    const at = (origin: string, token?: string) =>
      kit.config({
        secrets: { A: both("one") },
        targets: { one: { origin, ...(token === undefined ? {} : { token }) } },
      });
    await applyConfig(kit.context, TESTER, { config: at("here", "canary-token") });
    const rows = await kit.loop.rows<{ text: string }>(
      "select row_to_json(t)::text || (select string_agg(row_to_json(a)::text, '') from audit_entry a) as text from target t",
    );
    expect(rows[0]?.text).not.toContain("canary-token");
    expect(await planConfig(kit.context, TESTER, { config: at("here", "canary-token") })).toMatchObject({
      hasChanges: false,
    });

    kit.opened.length = 0;
    await planConfig(kit.context, TESTER, { config: at("here") });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "canary-token" }]);

    kit.opened.length = 0;
    const moved = await planConfig(kit.context, TESTER, { config: at("elsewhere") });
    expect(kit.opened).toEqual([]);
    expect(moved.problems.map(({ code }) => code)).toEqual(["DESTINATION_CHANGED"]);
    expect(moved.places[0]?.place).toMatchObject({ state: "cannot-tell", code: "DESTINATION_CHANGED" });
    await expect(applyConfig(kit.context, TESTER, { config: at("elsewhere") })).rejects.toMatchObject({
      code: "DESTINATION_CHANGED",
    });

    await applyConfig(kit.context, TESTER, { config: at("elsewhere", "new-token") });
    kit.opened.length = 0;
    await planConfig(kit.context, TESTER, { config: at("elsewhere") });
    expect(kit.opened.map(({ credentials }) => credentials)).toEqual([{ token: "new-token" }]);
  });

  it("says what it cannot tell, and about every other place what it can", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await set("A", "first");
    await settle();
    kit.away.add("one");
    const { places } = await planConfig(kit.context, TESTER, { config: twoTargets() });
    expect(places.map(({ place }) => place.state)).toEqual(["cannot-tell", "equal"]);
    expect(places[0]?.place).toMatchObject({
      code: "TARGET_UNREACHABLE",
      reason: "no answer from the place",
    });
  });

  it("refuses a plan that is not the one that was agreed to", async () => {
    const { digest } = await planConfig(kit.context, TESTER, { config: twoTargets() });
    kit.place("one").values.set("A", "came meanwhile");
    await expect(
      applyConfig(kit.context, TESTER, { config: twoTargets(), expectedPlanDigest: digest }),
    ).rejects.toMatchObject({ code: "PLAN_CHANGED" });
    expect(await kit.loop.rows("select 1 from secret")).toEqual([]);
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

  it("points at what a kind, the release or a reference refuses", async () => {
    const config = kit.config({
      secrets: {
        A: [
          { target: "one", role: "both", key: "has space" },
          { target: "gone", environment: "staging", role: "both", probe: {} },
        ],
      },
      targets: { one: {}, bad: { broken: true } },
    });
    const error = await planConfig(kit.context, TESTER, { config: { ...config, alerts: { ops: {} } } }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    const { details } = error as { details: { problems: { path: unknown[] }[] } };
    const secret = "environments.production.secrets.A";
    expect(details.problems.map(({ path }) => path.join("."))).toEqual([
      "alerts",
      `${secret}.bindings.1.probe`,
      "environments.production.targets.bad.memory.broken",
      `${secret}.bindings.0`,
      `${secret}.bindings.1.target`,
    ]);
  });

  it("does not take a place out of a rollout that is under way, unless told", async () => {
    await applyConfig(kit.context, TESTER, { config: twoTargets() });
    await set("A", "first");
    const without = kit.config({ secrets: { A: both("one") }, targets: { one: {}, two: {} } });
    await expect(applyConfig(kit.context, TESTER, { config: without })).rejects.toMatchObject({
      code: "ROLLOUT_OPEN",
    });
    await applyConfig(kit.context, TESTER, { config: without, duringRollout: true });
    await settle();
    expect(await kit.loop.rows("select state from rollout")).toEqual([{ state: "done" }]);
  });
});
