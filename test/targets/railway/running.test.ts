import { describe, expect, it } from "vitest";
import { servingNow } from "../../../src/adapters/targets/railway/deployments/deployments.ts";
import { foundIn } from "../../../src/adapters/targets/railway/deployments/snapshot.ts";
import type { Deployment } from "../../../src/adapters/targets/railway/wire/answers.ts";
import type { UnitSpec } from "../../../src/core/ports/place.ts";
import type { RunningAnswer } from "../../../src/core/ports/running.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { never, order, redeploy, set, unitOf, untilFollowed, useRailway } from "./kit.ts";

const versions = (known: Readonly<Record<number, string>>) =>
  new Map(Object.entries(known).map(([version, value]) => [Number(version), SecretValue.of(value)]));

describe("what a deployment was started with", () => {
  const own = { placement: "", key: "KEY", candidates: versions({ 1: "one", 2: "two" }) };
  const shared = { ...own, placement: "shared" };

  it.each([
    ["a version", { KEY: "two" }, { KEY: "two" }, { state: "version", version: 2 }],
    ["an older version than is stored", { KEY: "one" }, { KEY: "two" }, { state: "version", version: 1 }],
    ["another value", { KEY: "three" }, { KEY: "three" }, { state: "unknown" }],
    ["nothing, though it is stored since", {}, { KEY: "two" }, { state: "absent" }],
    ["a sealed value", { KEY: null }, { KEY: null }, { state: "unreadable" }],
    ["a sealed value that is not even listed", {}, { KEY: null }, { state: "unreadable" }],
    ["a reference as written", { KEY: "${{other.KEY}}" }, { KEY: "${{other.KEY}}" }, { state: "unreadable" }],
    ["a name of every object", { constructor: "one" }, {}, { state: "absent" }],
  ])("holds %s", (_what, snapshot, stored, found) => {
    expect(foundIn({ snapshot, stored }, own)).toMatchObject(found);
  });

  it.each([
    ["as it is", { A: "${{shared.KEY}}" }, { A: "two" }, { state: "version", version: 2 }],
    [
      "inside a text",
      { A: "Bearer ${{ shared.KEY }}" },
      { A: "Bearer one" },
      { state: "version", version: 1 },
    ],
    [
      "twice, and both agree",
      { A: "${{shared.KEY}}", B: "x${{shared.KEY}}" },
      { A: "two", B: "xtwo" },
      { state: "version", version: 2 },
    ],
    [
      "twice, and they differ",
      { A: "${{shared.KEY}}", B: "x${{shared.KEY}}" },
      { A: "two", B: "xone" },
      { state: "unknown" },
    ],
    ["as written", { A: "${{shared.KEY}}" }, { A: "${{shared.KEY}}" }, { state: "unreadable" }],
    ["by a name added later", { A: "${{shared.KEY}}" }, {}, { state: "absent" }],
    ["by no name", { KEY: "two" }, { KEY: "two" }, { state: "absent" }],
  ])("holds a shared variable %s", (_how, stored, snapshot, found) => {
    expect(foundIn({ snapshot, stored }, shared)).toMatchObject(found);
  });
});

describe("what serves now", () => {
  const running = (status: string) => [{ id: "i", status }];
  const made = (id: string, status: string, more: Partial<Deployment> = {}): Deployment => ({
    id,
    status,
    createdAt: `2026-01-0${id}T00:00:00Z`,
    canRedeploy: true,
    deploymentStopped: false,
    instances: running("RUNNING"),
    ...more,
  });
  const old = made("1", "SUCCESS");
  const cases: readonly (readonly [
    string,
    Deployment | null,
    readonly Deployment[],
    string | null,
    string,
  ])[] = [
    ["the only active one", old, [old], null, "serving"],
    ["an older one, when the newest failed", made("2", "FAILED", { instances: [] }), [old], null, "serving"],
    [
      "an older one, while the newest waits for approval",
      made("2", "NEEDS_APPROVAL"),
      [old],
      null,
      "serving",
    ],
    ["not certain while one is built", made("2", "BUILDING"), [old], null, "changing"],
    ["not certain while two are active", made("2", "SUCCESS"), [made("2", "SUCCESS"), old], null, "changing"],
    [
      "not certain while a replica restarts",
      old,
      [made("1", "SUCCESS", { instances: running("RESTARTING") })],
      null,
      "changing",
    ],
    [
      "one asleep",
      made("1", "SLEEPING", { instances: [] }),
      [made("1", "SLEEPING", { instances: [] })],
      null,
      "serving",
    ],
    [
      "a cron service's next run",
      old,
      [made("1", "SUCCESS", { instances: running("EXITED") })],
      "0 3 * * *",
      "serving",
    ],
    [
      "nothing, after a job's end",
      made("1", "SUCCESS", { deploymentStopped: true }),
      [made("1", "SUCCESS", { deploymentStopped: true })],
      null,
      "dormant",
    ],
    ["nothing, before the first deployment", null, [], null, "dormant"],
    ["unknown, after a crash", made("1", "CRASHED"), [made("1", "CRASHED")], null, "cannot-tell"],
    ["unknown, in a state from the future", made("1", "MELTED"), [made("1", "MELTED")], null, "cannot-tell"],
    ["unknown, when none is active", made("2", "FAILED"), [], null, "cannot-tell"],
  ];
  it.each(cases)("is %s", (_what, latestDeployment, active, cronSchedule, state) => {
    expect(servingNow({ latestDeployment, activeDeployments: [...active], cronSchedule }).state).toBe(state);
  });

  it("is nothing where the service left the environment", () => {
    expect(servingNow(undefined)).toEqual({ state: "dormant" });
  });
});

describe("looking at a service", () => {
  const kit = useRailway();

  async function lookAt(target: Target, unit: UnitSpec): Promise<RunningAnswer> {
    const key = { placement: "", key: "OLD", candidates: versions({ 1: "old", 2: "new" }) };
    const [answer] = (await target.running?.observe([{ unit, keys: [key] }], never)) ?? [];
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }

  it("notices that somebody rolled it back", async () => {
    const target = kit.open();
    const { unit } = await unitOf(target);
    const before = await lookAt(target, unit);
    expect(before).toMatchObject({
      state: "running",
      instances: [{ keys: [{ state: "version", version: 1 }] }],
    });
    const [first] = await kit.railway.state.deployments({ service: kit.serviceId });
    await target.apply(set({ OLD: "new" }), order(1), never);
    expect((await lookAt(target, unit)) === before).toBe(false);
    const { asked } = await redeploy(target);
    await untilFollowed(target, unit, asked, set({ OLD: "new" }));
    expect(await lookAt(target, unit)).toMatchObject({
      instances: [{ keys: [{ state: "version", version: 2 }] }],
    });
    await kit.railway.state.rollback({ deploymentId: first?.id ?? "" });
    await kit.railway.state.idle();
    expect(await lookAt(target, unit)).toMatchObject({
      instances: [{ keys: [{ state: "version", version: 1 }] }],
    });
  });

  it("takes two requests for a service, and one more for each further one", async () => {
    const target = kit.open();
    const { unit } = await unitOf(target);
    const { serviceId } = await kit.railway.state.addService({ name: "web", variables: { OLD: "new" } });
    await kit.railway.log.clear();
    await lookAt(target, unit);
    expect(await kit.railway.log.requests({})).toHaveLength(2);
    await kit.railway.log.clear();
    const other: UnitSpec = { ...unit, config: { ...unit.config, service: serviceId } };
    const answers = await target.running?.observe(
      [
        { unit, keys: [] },
        { unit: other, keys: [] },
      ],
      never,
    );
    expect(answers?.map(({ state }) => state)).toEqual(["running", "running"]);
    expect(await kit.railway.log.requests({})).toHaveLength(3);
  });

  it("says when Railway does not show it", async () => {
    const target = kit.open();
    const { unit } = await unitOf(target);
    await kit.railway.faults.add({
      kind: "graphql-error",
      operation: "deploymentSnapshot",
      message: "Not Authorized",
    });
    const seen = await lookAt(target, unit);
    expect(seen).toMatchObject({ state: "cannot-tell", reason: expect.stringContaining("does not show") });
  });
});
