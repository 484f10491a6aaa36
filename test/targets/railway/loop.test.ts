/** The loop on the simulated Railway: one upsert, one redeployment, nothing the second time, and nothing believed. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import { type AppContext, DEFAULT_TIMING } from "../../../src/app/base/context.ts";
import { checkDue, checkScheduled } from "../../../src/app/drift/check-scheduled.ts";
import { healPlaces } from "../../../src/app/drift/heal-places.ts";
import { bindingStatus } from "../../../src/app/status/binding-status.ts";
import { credentialsAssociatedData } from "../../../src/core/associated-data.ts";
import { useDatabase } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { never, RailwayKit } from "./kit.ts";

const database = useDatabase();
/** Where no clock is moved, a slow machine must not look like a lost answer. */
const UNHURRIED_MS = 30_000;

describe("the loop on Railway", () => {
  const railway = new RailwayKit();
  let kit: LoopKit;
  let context: AppContext;

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({ targetKinds: new Map([["railway", railwayKind]]), revisionMarker: true });
  });
  beforeEach(async () => {
    await kit.reset();
    await railway.start();
    await kit.secret("AUTH");
  });
  afterEach(() => railway.stop());

  /** A service, or the shared scope. */
  async function addTarget(name: string, service: string | null, more: object = {}): Promise<void> {
    await kit.target(name);
    const [id = ""] = await kit.targetIds(name);
    const { projectId, environmentId, projectToken } = railway.railway.defaults;
    const { config, credentials } = railwayKind.parse({
      railway: {
        project: projectId,
        environment: environmentId,
        ...(service === null ? { shared: true } : { service }),
        token: projectToken,
        endpoint: railway.railway.url,
        requestTimeoutMs: 500,
        ...more,
      },
    });
    const destination = railwayKind.destination(config);
    const sealed = await context.sealer.seal(
      JSON.stringify(credentials),
      credentialsAssociatedData(id, destination),
    );
    await database().pool.query(
      "update target set kind = 'railway', config = $2, credentials_sealed = $3, destination = $4 where id = $1",
      [id, JSON.stringify(config), sealed, destination],
    );
  }

  async function bind(target: string): Promise<void> {
    const id = await kit.bind("AUTH", target);
    const { rows } = await database().pool.query(
      "select config from target where id = (select target_id from binding where id = $1)",
      [id],
    );
    const placement = railwayKind.resolvePlacement(rows[0].config, undefined);
    await database().pool.query("update binding set placement = $2 where id = $1", [id, placement]);
  }

  /** Until nothing is owed: deployments take their time, and waiting is rows. */
  async function rest(): Promise<void> {
    for (let round = 0; round < 40; round += 1) {
      await kit.landed();
      await kit.hurry();
      await kit.drain(context);
      await railway.railway.state.idle();
      const owed = await kit.rows(
        "select 1 from activation where state in ('owed', 'requested') union all select 1 from target where generation <> settled_generation",
      );
      if (owed.length === 0) return;
    }
    throw new Error("the loop does not come to rest");
  }

  const evidence = async () =>
    (await kit.rows<{ evidence: string }>("select evidence from binding order by id")).map(
      (row) => row.evidence,
    );
  const deploys = async () => (await railway.railway.log.deploys()).length;
  const writes = async () => (await railway.railway.log.writes()).length;

  it("pushes once, redeploys once, ends deployed, and finds nothing to do the second time", async () => {
    await addTarget("api", railway.serviceId);
    await bind("api");
    await kit.set("AUTH", "first", context);
    await rest();
    expect(await railway.stored()).toMatchObject({ AUTH: "first", KEPT: "theirs" });
    expect(await evidence()).toEqual(["deployed"]);
    expect([await writes(), await deploys()]).toEqual([1, 1]);
    const sent = await railway.railway.log.requests({});
    expect(sent.map(({ operationName }) => operationName)).toEqual([
      "ProjectToken",
      "ObserveService",
      "UpsertVariables",
      "ObserveService",
      "Unit",
      "Unit",
      "Redeploy",
      ...sent.slice(7, -1).map(() => "FollowEnvironment"),
      "Snapshot",
    ]);
    const processes = await railway.railway.state.processes({ service: railway.serviceId });
    expect(processes.map(({ variables }) => variables["AUTH"])).toEqual(["first"]);

    await database().pool.query("update target set generation = generation + 1, next_action_at = now()");
    await rest();
    expect([await writes(), await deploys()]).toEqual([1, 1]);
  });

  it("of a shared secret redeploys each service that refers to it once, and comes to rest", async () => {
    for (const name of ["a", "b"])
      await railway.railway.state.addService({ name, variables: { TOKEN: "Bearer ${{shared.AUTH}}" } });
    await addTarget("shared", null);
    await bind("shared");
    await kit.set("AUTH", "first", context);
    await rest();
    expect(await evidence()).toEqual(["deployed"]);
    expect([await writes(), await deploys()]).toEqual([1, 2]);
    for (const service of ["a", "b"]) {
      const [process] = await railway.railway.state.processes({ service });
      expect(process?.variables["TOKEN"]).toBe("Bearer first");
    }
  });

  it.each([
    { kind: "gateway-timeout", applied: "yes" },
    { kind: "gateway-timeout", applied: "no" },
    { kind: "dropped-connection", applied: true },
    { kind: "ignored-write" },
    { kind: "rate-limited", retryAfterSeconds: 1 },
  ] as const)("survives %j on its write", async (fault) => {
    await addTarget("api", railway.serviceId);
    await bind("api");
    await railway.railway.faults.add({ ...fault, operation: "variableCollectionUpsert" });
    await kit.set("AUTH", "first", context);
    await rest();
    expect((await railway.stored())["AUTH"]).toBe("first");
    expect(await evidence()).toEqual(["deployed"]);
    expect(await deploys()).toBe(1);
  });

  it.each([
    { kind: "gateway-timeout", applied: "yes" },
    { kind: "gateway-timeout", applied: "no" },
    { kind: "gateway-timeout", applied: "late" },
    { kind: "dropped-connection", applied: true },
    { kind: "dropped-connection", applied: "late" },
    { kind: "http-error", status: 502, applied: true },
    { kind: "graphql-error", message: "Problem processing request", applied: true },
  ] as const)("law 5: after %j nothing waits for the time in which the write may land", async (fault) => {
    await addTarget("api", railway.serviceId, { requestTimeoutMs: UNHURRIED_MS });
    await bind("api");
    await kit.set("AUTH", "first", context);
    await rest();
    await railway.railway.faults.add({ ...fault, operation: "variableCollectionUpsert" });
    await kit.set("AUTH", "second", context);
    // No clock is moved here: what comes later than the next look does not come.
    await kit.drain(context);
    const [target] = await kit.rows<{ owed: boolean; waits: boolean }>(
      "select generation <> settled_generation as owed, next_action_at > now() as waits from target",
    );
    expect(target).toEqual({ owed: false, waits: null });
    expect((await railway.stored())["AUTH"]).toBe("second");
    expect(await kit.rows("select 1 from push where outcome in ('started', 'unknown')")).toEqual([]);
    // And its restart was asked for.
    expect(await deploys()).toBe(2);

    // A copy that comes late finds what it brings; whatever is next waits for it, unless it is known to have landed.
    await kit.set("AUTH", "third", context);
    await kit.drain(context);
    const mayLand = fault.applied === "no" || fault.applied === "late";
    const [next] = await kit.rows<{ owed: boolean; waits: boolean | null }>(
      "select generation <> settled_generation as owed, next_action_at > now() as waits from target",
    );
    expect(next).toEqual(mayLand ? { owed: true, waits: true } : { owed: false, waits: null });
    await railway.railway.faults.release({});
    await rest();
    expect((await railway.stored())["AUTH"]).toBe("third");
    expect(await evidence()).toEqual(["deployed"]);
  });

  it("law 5: a redeployment whose answer was lost is looked for after 3, 6 and 12 seconds", async () => {
    const { minPollMs, maxPollMs, notStartedAfterMs } = DEFAULT_TIMING;
    const slow = { ...context, timing: { ...context.timing, minPollMs, maxPollMs, notStartedAfterMs } };
    await addTarget("api", railway.serviceId, { requestTimeoutMs: UNHURRIED_MS });
    await bind("api");
    await railway.railway.faults.add({
      kind: "gateway-timeout",
      operation: "deploymentRedeploy",
      applied: "no",
    });
    await kit.set("AUTH", "first", slow);
    await kit.drain(slow);
    const waitsMs = async () => {
      const [row] = await kit.rows<{ ms: number }>(
        "select extract(epoch from next_action_at - now())::float * 1000 as ms from activation where state = 'requested'",
      );
      return row?.ms ?? Number.NaN;
    };
    for (const _look of [3, 6, 9, 12]) {
      expect(await waitsMs()).toBeLessThanOrEqual(3_100);
      // Three seconds go by.
      await database().pool.query(
        "update activation set next_action_at = now(), requested_at = requested_at - interval '3 seconds'",
      );
      await kit.drain(slow);
    }
    // Asked for once, of which nothing came; and not twice before that is sure.
    expect(await deploys()).toBe(1);
    await database().pool.query(
      "update activation set next_action_at = now(), requested_at = requested_at - interval '30 seconds'",
    );
    await kit.drain(slow);
    await rest();
    expect([await evidence(), await deploys()]).toEqual([["deployed"], 2]);
  });

  it("asks for one redeployment only when the answer to the first got lost", async () => {
    await addTarget("api", railway.serviceId);
    await bind("api");
    await railway.railway.faults.add({
      kind: "dropped-connection",
      operation: "deploymentRedeploy",
      applied: true,
    });
    await kit.set("AUTH", "first", context);
    await rest();
    expect([await evidence(), await deploys()]).toEqual([["deployed"], 1]);
  });

  it("tries a failed deployment once more, then leaves it to a person", async () => {
    await addTarget("api", railway.serviceId);
    await bind("api");
    await railway.railway.faults.add({ kind: "deployment-fails", times: "always" });
    await kit.set("AUTH", "first", context);
    await rest();
    expect(await deploys()).toBe(2);
    expect(await kit.rows("select 1 from activation where state = 'blocked'")).toHaveLength(1);
    expect(await evidence()).toEqual(["stored"]);
  });

  it("is looked at by schedule as a whole: one request for all its targets, by one of two workers", async () => {
    const { serviceId: second } = await railway.railway.state.addService({ name: "second" });
    const targets = { api: railway.serviceId, second, shared: null };
    for (const [name, service] of Object.entries(targets)) {
      await addTarget(name, service);
      await bind(name);
    }
    await kit.set("AUTH", "first", context);
    await rest();
    await railway.railway.state.setVariables({ service: second, variables: { AUTH: "by hand" } });
    // Due at different times; together from then on.
    await database().pool.query(
      "update target set next_check_at = now() + case name when 'api' then interval '-1 second' else interval '2 minutes' end",
    );
    await railway.railway.log.clear();
    await Promise.all([checkDue(context, never), checkDue(context, never)]);
    const sent = (await railway.railway.log.requests({})).map(({ operationName }) => operationName);
    expect(sent.filter((name) => name === "ObserveEnvironment")).toHaveLength(1);
    expect(sent.filter((name) => name?.startsWith("ObserveS"))).toEqual([]);
    const found = await context.store.read.views.bindings({});
    expect(found.map(({ target, found }) => [target, found])).toEqual([
      ["api", "version"],
      ["second", "unknown"],
      ["shared", "version"],
    ]);
    const due = await kit.rows<{ together: boolean }>(
      "select max(next_check_at) - min(next_check_at) < interval '30 seconds' as together from target",
    );
    expect(due).toEqual([{ together: true }]);
  });

  it("somebody's rollback is found by a look, and healing deploys again what is stored", async () => {
    await addTarget("api", railway.serviceId);
    await bind("api");
    await kit.set("AUTH", "first", context);
    await rest();
    await kit.set("AUTH", "second", context);
    await rest();
    const look = async () => {
      const [id = ""] = await kit.targetIds("api");
      await database().pool.query("update target set next_check_at = now()");
      await checkScheduled(context, id, never);
      const [row] = await context.store.read.views.bindings({});
      return row === undefined ? null : bindingStatus(row);
    };
    expect(await look()).toMatchObject({ state: "in-sync" });
    const [, earlier] = await railway.railway.state.deployments({ service: railway.serviceId });
    await railway.railway.state.rollback({ deploymentId: earlier?.id ?? "" });
    await railway.railway.state.idle();
    expect(await look()).toMatchObject({
      state: "stale",
      version: 2,
      reason: "a running process holds v1, not v2",
    });
    await healPlaces(context, TESTER, { target: "api" });
    await rest();
    expect(await look()).toMatchObject({ state: "in-sync" });
    const [process] = await railway.railway.state.processes({ service: railway.serviceId });
    expect(process?.variables["AUTH"]).toBe("second");
  });

  describe("a service that takes the secret from ours by a reference", () => {
    const tokens = async () =>
      (await railway.railway.state.processes({ service: "web" })).map(({ variables }) => variables["TOKEN"]);
    const look = async () => {
      const [id = ""] = await kit.targetIds("api");
      await database().pool.query("update target set next_check_at = now()");
      await checkScheduled(context, id, never);
      const rows = await context.store.read.views.bindings({});
      const row = rows.find(({ target }) => target === "api");
      return row === undefined ? null : bindingStatus(row);
    };
    let web: string;
    beforeEach(async () => {
      const variables = { TOKEN: "Bearer ${{api.AUTH}}", OWN: "x" };
      ({ serviceId: web } = await railway.railway.state.addService({ name: "web", variables }));
      await railway.railway.state.addService({ name: "far", variables: { T: "${{web.TOKEN}}" } });
    });
    const change = async (value: string) => {
      await kit.set("AUTH", value, context);
      await rest();
    };

    it("keeps the old value until it is deployed by somebody, and that is told, not passed over", async () => {
      await addTarget("api", railway.serviceId);
      await bind("api");
      await change("first");
      await railway.railway.state.deploy({ service: "web" });
      await railway.railway.state.deploy({ service: "far" });
      await railway.railway.state.idle();
      expect(await look()).toMatchObject({ state: "in-sync" });
      await change("second");
      expect(await tokens()).toEqual(["Bearer first"]);
      expect(await look()).toMatchObject({
        state: "stale",
        reason:
          "web takes it from here by a reference, and a running process holds v1, not v2: it keeps that until its own next deployment",
      });
      await railway.railway.state.deploy({ service: "web" });
      await railway.railway.state.idle();
      expect(await look()).toMatchObject({ state: "stale", reason: expect.stringMatching(/^far takes it/) });
      await railway.railway.state.deploy({ service: "far" });
      await railway.railway.state.idle();
      expect(await look()).toMatchObject({ state: "in-sync" });
    });

    it("is deployed with ours where the configuration says so, once, and comes to rest", async () => {
      await addTarget("api", railway.serviceId, { redeployReferring: true });
      await bind("api");
      await change("first");
      const before = await deploys();
      await change("second");
      expect(await deploys()).toBe(before + 3);
      expect(await tokens()).toEqual(["Bearer second"]);
      expect(await look()).toMatchObject({ state: "in-sync" });
    });

    it("is deployed with ours where something is bound there", async () => {
      await addTarget("api", railway.serviceId);
      await addTarget("web", web);
      await bind("api");
      await kit.secret("OTHER");
      const id = await kit.bind("OTHER", "web");
      await database().pool.query("update ownership set place = $2 where binding_id = $1", [
        id,
        railwayKind.locationKey(
          (await context.store.read.targets.findByName("production", "web"))?.config ?? {},
          "",
          { environment: "production", name: "web" },
        ),
      ]);
      await change("first");
      await change("second");
      expect(await tokens()).toEqual(["Bearer second"]);
    });
  });
});
