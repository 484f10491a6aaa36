import { describe, expect, it } from "vitest";
import { INSTANT, ManualClock } from "../../../src/simulator/railway/server.ts";
import {
  at,
  CANARY,
  failure,
  look,
  never,
  order,
  redeploy,
  set,
  unitOf,
  untilFollowed,
  useRailway,
} from "./kit.ts";

describe("an activation", () => {
  const kit = useRailway();

  it("is one redeployment, and succeeds when what runs was started with the value", async () => {
    const target = kit.open();
    await target.apply(set({ OLD: "changed" }), order(1), never);
    const { unit, asked } = await redeploy(target);
    expect(await untilFollowed(target, unit, asked, set({ OLD: "changed" }))).toMatchObject({
      state: "succeeded",
      id: asked.id,
    });
    expect((await kit.railway.log.deploys()).map(({ operations }) => operations)).toEqual([
      ["deploymentRedeploy"],
    ]);
  });

  it("is outdated when what runs was started with another value", async () => {
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    for (const expected of [{ OLD: "changed" }, { OLD: "old", NOT_THERE: CANARY }]) {
      const progress = await untilFollowed(target, unit, asked, set(expected));
      expect(progress.state).toBe("outdated");
      expect(JSON.stringify(progress)).not.toContain(CANARY);
    }
  });

  it.each([
    [{ kind: "deployment-fails" }, "failed"],
    [{ kind: "deployment-fails", stage: "deploy" }, "failed"],
    [{ kind: "deployment-crashes" }, "failed"],
    [{ kind: "deployment-skipped" }, "failed"],
    [{ kind: "deployment-needs-approval" }, "blocked"],
  ] as const)("%j ends as %s", async (fault, state) => {
    await kit.railway.faults.add({ ...fault });
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    await kit.railway.state.idle();
    expect((await untilFollowed(target, unit, asked)).state).toBe(state);
  });

  it("whose answer got lost is found again: what is newer than what was known is ours", async () => {
    const target = kit.open();
    const { unit, activator } = await unitOf(target);
    const { knownIds } = await activator.prepare(unit, never);
    await kit.railway.faults.add({
      kind: "dropped-connection",
      operation: "deploymentRedeploy",
      applied: true,
    });
    expect((await failure(activator.activate(unit, never))).code).toBe("TARGET_OUTCOME_UNKNOWN");
    expect((await untilFollowed(target, unit, { id: null, knownIds })).state).toBe("succeeded");
    const { knownIds: all } = await activator.prepare(unit, never);
    expect((await untilFollowed(target, unit, { id: null, knownIds: all })).state).toBe("not-started");
  });

  it("that never arrived did not start", async () => {
    const target = kit.open();
    const { unit, activator } = await unitOf(target);
    const { knownIds } = await activator.prepare(unit, never);
    await kit.railway.faults.add({
      kind: "dropped-connection",
      operation: "deploymentRedeploy",
      applied: false,
    });
    expect((await failure(activator.activate(unit, never))).code).toBe("TARGET_OUTCOME_UNKNOWN");
    expect((await untilFollowed(target, unit, { id: null, knownIds })).state).toBe("not-started");
  });

  it("waits for a build under way, and is limited by the service's own throttle", async () => {
    await kit.railway.faults.add({ kind: "deployment-hangs", times: "always" });
    const target = kit.open();
    const { unit, activator } = await unitOf(target);
    await activator.activate(unit, never);
    expect(await failure(activator.activate(unit, never))).toMatchObject({
      code: "TARGET_UNAVAILABLE",
      retryAfterMs: 10_000,
    });
    await kit.restart({ behaviour: { deploymentThrottle: { max: 1, windowMs: 60_000 } } });
    const again = kit.open();
    const { asked, unit: same } = await redeploy(again);
    await untilFollowed(again, same, asked);
    expect(await failure(redeploy(again))).toMatchObject({
      code: "TARGET_RATE_LIMITED",
      retryAfterMs: 180_000,
    });
  });

  it("does not start a second deployment beside a first one that is being built", async () => {
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({ name: "new", deployed: false }));
    await kit.railway.faults.add({ kind: "deployment-hangs" });
    await kit.railway.state.deploy({ service: kit.serviceId });
    const { unit, activator } = await unitOf(kit.open());
    expect((await activator.prepare(unit, never)).dormant).toBe(false);
    expect(await failure(activator.activate(unit, never))).toMatchObject({ code: "TARGET_UNAVAILABLE" });
    expect(await kit.railway.log.deploys()).toEqual([]);
  });

  it("waits for the deployment that Railway starts by itself at a deletion, and then redeploys", async () => {
    const clock = new ManualClock();
    await kit.restart({ clock, durations: { initializingMs: 1_000, buildingMs: 1_000, deployingMs: 1_000 } });
    const target = kit.open();
    await target.apply({ set: [], unset: at("KEPT") }, order(1), never);
    expect((await failure(redeploy(target))).code).toBe("TARGET_UNAVAILABLE");
    await kit.railway.state.advance({ ms: 10_000 });
    const { unit, asked } = await redeploy(target);
    await kit.railway.state.advance({ ms: 10_000 });
    expect((await look(target, unit, asked, set({ OLD: "old" }))).state).toBe("succeeded");
    const [process] = await kit.railway.state.processes({ service: kit.serviceId });
    expect(Object.keys(process?.variables ?? {})).not.toContain("KEPT");
  });

  it("takes the source where nothing can be repeated", async () => {
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({ name: "new", deployed: false }));
    await kit.railway.faults.add({ kind: "deployment-fails" });
    await kit.railway.state.deploy({ service: kit.serviceId });
    await kit.railway.state.idle();
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    expect((await untilFollowed(target, unit, asked)).state).toBe("succeeded");
    expect((await kit.railway.log.deploys()).flatMap(({ operations }) => operations)).toEqual([
      "serviceInstanceDeployV2",
    ]);
  });

  it("takes the source also when Railway refuses to repeat what it listed as repeatable", async () => {
    const target = kit.open();
    await kit.railway.faults.add({
      kind: "graphql-error",
      operation: "deploymentRedeploy",
      message: "Cannot redeploy without a snapshot",
    });
    const { unit, asked } = await redeploy(target);
    expect((await untilFollowed(target, unit, asked)).state).toBe("succeeded");
  });
});

describe("a unit", () => {
  const kit = useRailway();
  const isDormant = async () => {
    const { unit, activator } = await unitOf(kit.open());
    return (await activator.prepare(unit, never)).dormant;
  };

  const oldest = async () => {
    const listed = await kit.railway.state.deployments({ service: kit.serviceId });
    const [first] = [...listed].sort((left, right) => left.createdAt.localeCompare(right.createdAt));
    return first?.id ?? "";
  };

  it("that was never deployed is never woken", async () => {
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({ name: "new", deployed: false }));
    const { unit, activator } = await unitOf(kit.open());
    expect(await activator.prepare(unit, never)).toEqual({ knownIds: [], dormant: true });
  });

  it("that somebody removed is never woken", async () => {
    await kit.railway.state.remove({ deploymentId: await oldest() });
    await kit.railway.state.idle();
    expect(await isDormant()).toBe(true);
  });

  it("that crashed should run, and is redeployed", async () => {
    await kit.railway.state.crash({ deploymentId: await oldest() });
    expect(await isDormant()).toBe(false);
  });

  it("that sleeps counts as running, and gets one redeployment", async () => {
    await kit.railway.state.changeService({ service: kit.serviceId, sleeping: true });
    const target = kit.open();
    const { unit, asked, dormant } = await redeploy(target);
    await kit.railway.state.idle();
    expect(dormant).toBe(false);
    expect(await untilFollowed(target, unit, asked, set({ OLD: "old" }))).toMatchObject({
      state: "succeeded",
      incarnation: { status: "SLEEPING" },
    });
  });

  it("of a cron service needs one redeployment, and no running instance", async () => {
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({
      name: "nightly",
      cron: "0 3 * * *",
      variables: { OLD: "old" },
    }));
    const target = kit.open();
    const { unit, asked, dormant } = await redeploy(target);
    expect(dormant).toBe(false);
    expect((await untilFollowed(target, unit, asked, set({ OLD: "old" }))).state).toBe("succeeded");
  });

  it("is not done while an older deployment drains", async () => {
    const clock = new ManualClock();
    await kit.restart({ clock, durations: { ...INSTANT, secondMs: 1_000 } });
    await kit.railway.state.changeService({
      service: kit.serviceId,
      overlapSeconds: 10,
      drainingSeconds: 10,
    });
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    await kit.railway.state.advance({ ms: 5_000 });
    expect(await look(target, unit, asked)).toMatchObject({
      state: "running",
      reason: "an older deployment is still active",
    });
    await kit.railway.state.advance({ ms: 10_000 });
    expect((await look(target, unit, asked)).state).toBe("running");
    await kit.railway.state.advance({ ms: 10_000 });
    expect((await look(target, unit, asked)).state).toBe("succeeded");
  });

  it("that was rolled back by somebody is outdated, although what is stored looks right", async () => {
    const target = kit.open();
    await target.apply(set({ OLD: "changed" }), order(1), never);
    const { unit, asked } = await redeploy(target);
    await kit.railway.state.idle();
    await kit.railway.state.rollback({ deploymentId: await oldest() });
    await kit.railway.state.idle();
    expect((await untilFollowed(target, unit, asked, set({ OLD: "changed" }))).state).toBe("outdated");
  });

  it("whose service was deleted is dormant", async () => {
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    await kit.railway.state.deleteService({ service: kit.serviceId });
    expect((await look(target, unit, asked)).state).toBe("dormant");
  });

  it("is followed together with all others of its environment by one request", async () => {
    const { serviceId: other } = await kit.railway.state.addService({ name: "second" });
    const target = kit.open();
    const first = await redeploy(target);
    const second = await redeploy(kit.open({ service: other }));
    await kit.railway.state.idle();
    await kit.railway.log.clear({});
    const asked = [first, second].map(({ unit, asked: one }) => ({
      unit,
      ...one,
      requestedAgoMs: 0,
      expected: [],
    }));
    const progress = await target.activator?.follow(asked, never);
    expect(progress?.map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
    expect(await kit.railway.log.requests({})).toHaveLength(1);
    expect(first.unit.followGroup).toBe(second.unit.followGroup);
  });

  it.each(["Deployment not found", "ServiceInstance not found", "Not Authorized"])(
    "whose start cannot be seen (%s) hides no other",
    async (message) => {
      const { serviceId: other } = await kit.railway.state.addService({
        name: "second",
        variables: { OLD: "old" },
      });
      const target = kit.open();
      const all = [await redeploy(target), await redeploy(kit.open({ service: other }))];
      await kit.railway.state.idle();
      await kit.railway.faults.add({
        kind: "graphql-error",
        operation: "deploymentSnapshot",
        service: "api",
        message,
      });
      const { set: expected } = set({ OLD: "old" });
      const asked = all.map(({ unit, asked: one }) => ({ unit, ...one, requestedAgoMs: 0, expected }));
      const progress = await target.activator?.follow(asked, never);
      expect(progress?.map(({ state }) => state)).toEqual(["running", "succeeded"]);
    },
  );

  it("is found behind the first page of a long environment", async () => {
    await kit.restart({ behaviour: { maxPageSize: 2 } });
    for (const name of "abcde") await kit.railway.state.addService({ name });
    ({ serviceId: kit.serviceId } = await kit.railway.state.addService({ name: "last" }));
    const target = kit.open();
    const { unit, asked } = await redeploy(target);
    expect((await untilFollowed(target, unit, asked)).state).toBe("succeeded");
  });
});
