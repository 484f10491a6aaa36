import { expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { introduceVersion } from "../../../src/app/versions/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnAStore("applying a configuration", (getDatabase) => {
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
    const first = await applyConfig(kit.context, TESTER, { config: twoTargets(), askNew: true });
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

  it("says before anything is written what a place cannot hold", async () => {
    await applyConfig(kit.context, TESTER, { config: kit.config({ secrets: { A: [] } }) });
    await set("A", "two\nlines");
    const config = kit.config({ secrets: { A: both("one") }, targets: { one: { singleLine: true } } });
    const { places } = await planConfig(kit.context, TESTER, { config });
    expect(places[0]?.place).toMatchObject({ state: "cannot-hold", code: "VALUE_INVALID" });
    expect(JSON.stringify(places)).not.toContain("lines");
  });

  it("takes no new value that a place of the secret cannot hold, and keeps the present one", async () => {
    const config = kit.config({
      secrets: { A: both("one", "two") },
      targets: { one: {}, two: { singleLine: true } },
    });
    await applyConfig(kit.context, TESTER, { config });
    await set("A", "first");
    await settle();
    const refused = await setSecret(
      kit.context,
      TESTER,
      { environment: "production", name: "A" },
      { value: SecretValue.of("two\nlines") },
    ).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "VALUE_INVALID", details: { target: "two", key: "A" } });
    expect(String(refused)).toContain('Cannot set "A": target "two" refuses it.');
    expect(String(refused)).not.toContain("lines");
    expect(await kit.loop.rows("select version, state from secret_version")).toEqual([
      { version: 1, state: "current" },
    ]);
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
    const { digest } = await planConfig(kit.context, TESTER, { config: twoTargets(), askNew: true });
    kit.place("one").values.set("A", "came meanwhile");
    await expect(
      applyConfig(kit.context, TESTER, { config: twoTargets(), askNew: true, expectedPlanDigest: digest }),
    ).rejects.toMatchObject({ code: "PLAN_CHANGED" });
    expect(await kit.loop.rows("select 1 from secret")).toEqual([]);
  });

  it("points at what a kind, the release or a reference refuses", async () => {
    const config = kit.config({
      secrets: {
        A: [
          { target: "one", role: "both", key: "has space" },
          { target: "gone", environment: "staging", role: "both" },
          { target: "one", key: "B", role: "verifier", authority: true },
        ],
      },
      targets: { one: {}, bad: { broken: true } },
    });
    const error = await planConfig(kit.context, TESTER, { config }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    const { details } = error as { details: { problems: { path: unknown[] }[] } };
    const secret = "environments.production.secrets.A";
    expect(details.problems.map(({ path }) => path.join("."))).toEqual([
      "environments.production.targets.bad.memory.broken",
      `${secret}.bindings.0`,
      `${secret}.bindings.1.target`,
      `${secret}.bindings.2.authority`,
    ]);
  });

  it.each([
    [
      "http.from",
      {
        http: {
          url: "http://127.0.0.1:1/",
          headers: { A: "{{value}}" },
          accepted: [200],
          refused: [401],
          from: "target",
        },
      },
    ],
    ["command", { command: { run: ["/bin/ask"], accepted: [0], refused: [1] } }],
  ])("refuses a probe that nobody could ever ask there: %s", async (path, probe) => {
    const config = kit.config({
      secrets: { A: [{ target: "one", role: "verifier", probe }] },
      targets: { one: {} },
    });
    const error = await planConfig(kit.context, TESTER, { config }).catch((thrown: unknown) => thrown);
    const { details } = error as { details: { problems: { path: unknown[] }[] } };
    expect(details.problems.map((problem) => problem.path.join("."))).toEqual([
      `environments.production.secrets.A.bindings.0.probe.${path}`,
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
