import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ManualClock,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { Client, messages } from "./support.ts";

const DURATIONS = { initializingMs: 10, buildingMs: 100, deployingMs: 50, secondMs: 1_000 };

let simulator: RailwaySimulator;
let client: Client;

beforeEach(async () => {
  simulator = await startRailwaySimulator({ clock: new ManualClock(), durations: DURATIONS });
  client = new Client(simulator);
});
afterEach(() => simulator.close());

const statuses = (service: string) => simulator.state.deployments({ service }).map(({ status }) => status);
const advance = (ms: number) => simulator.state.advance({ ms });
const latest = (service: string) => simulator.state.deployments({ service })[0]?.id ?? "";

function api(settings: Partial<Parameters<typeof simulator.state.addService>[0]> = {}) {
  return simulator.state.addService({ name: "api", variables: { A: "old" }, ...settings }).serviceId;
}

describe("a redeploy", () => {
  it("passes through every state while the previous deployment serves, and then replaces it", async () => {
    const id = api({ replicas: 2 });
    const first = latest(id);
    await client.upsert(id, { A: "new" });
    const answer = await client.redeploy(first);
    expect(answer.data).toMatchObject({ deploymentRedeploy: { status: "INITIALIZING" } });
    const seen: string[] = [];
    for (const ms of [0, 10, 100]) {
      advance(ms);
      seen.push(statuses(id).join());
    }
    expect(seen).toEqual(["INITIALIZING,SUCCESS", "BUILDING,SUCCESS", "DEPLOYING,SUCCESS"]);
    expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual([
      "old",
      "old",
    ]);
    advance(50);
    expect(statuses(id)).toEqual(["SUCCESS", "REMOVED"]);
    expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual([
      "new",
      "new",
    ]);
    expect(await client.instance(id)).toMatchObject({
      latestDeployment: { id: latest(id), status: "SUCCESS", canRedeploy: true },
      activeDeployments: [{ id: latest(id), instances: [{ status: "RUNNING" }, { status: "RUNNING" }] }],
    });
  });

  it("has no snapshot until it was built, and then the variables that it began with", async () => {
    const id = api({ variables: { A: "${{shared.X}}", S: { value: "sealed", sealed: true } } });
    simulator.state.setShared({ variables: { X: "1" } });
    await client.redeploy(latest(id));
    simulator.state.setShared({ variables: { X: "2" } });
    const snapshot = async () => {
      const answer = await client.ask(
        `query ($id: String!) { deploymentSnapshot(deploymentId: $id) { variables } }`,
        {
          id: latest(id),
        },
      );
      return answer.data?.["deploymentSnapshot"];
    };
    advance(10);
    expect(await snapshot()).toBeNull();
    advance(100);
    expect(await snapshot()).toEqual({ variables: { A: "1", S: null } });
    expect(simulator.state.deployments({ service: id })[0]?.snapshotId).not.toBeNull();
  });

  it("is refused while a build of the service is in flight", async () => {
    const id = api();
    const first = latest(id);
    await client.redeploy(first);
    expect(messages(await client.redeploy(first)).join()).toContain("Cannot redeploy yet");
    advance(160);
    expect((await client.redeploy(first)).errors).toEqual([]);
  });

  it("is refused for a deployment that never built", async () => {
    const id = api();
    simulator.faults.add({ kind: "deployment-fails", stage: "build" });
    await client.redeploy(latest(id));
    advance(200);
    expect(statuses(id)).toEqual(["FAILED", "SUCCESS"]);
    expect(messages(await client.redeploy(latest(id)))).toEqual(["Cannot redeploy without a snapshot"]);
  });
});

it("keeps the older deployment active through overlap and draining", async () => {
  const id = api({ overlapSeconds: 5, drainingSeconds: 3 });
  await client.redeploy(latest(id));
  advance(160);
  expect(statuses(id)).toEqual(["SUCCESS", "SUCCESS"]);
  advance(5_000);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVING"]);
  expect(await client.instance(id)).toMatchObject({
    activeDeployments: [{ status: "SUCCESS" }, { status: "REMOVING", instances: [{ status: "REMOVING" }] }],
  });
  advance(3_000);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED"]);
  expect(await client.instance(id)).toMatchObject({ activeDeployments: [{ status: "SUCCESS" }] });
});

it("starts one deployment per upsert that does not skip them, and one per delete", async () => {
  const id = api();
  await client.upsert(id, { B: "1" }, {});
  await client.upsert(id, { B: "2" }, { skipDeploys: true });
  await client.remove(id, "B");
  expect(simulator.state.deployments({ service: id }).map(({ cause }) => cause)).toEqual([
    "variableDelete",
    "variableCollectionUpsert",
    "person",
  ]);
  advance(1_000);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED", "REMOVED"]);
});

it("deploys the services that refer to a changed shared variable, and no others", async () => {
  const id = api({ variables: { A: "${{shared.X}}" } });
  const other = simulator.state.addService({ name: "other", variables: { A: "${{shared.Y}}" } }).serviceId;
  await client.upsert(undefined, { X: "1" }, {});
  expect([statuses(id).length, statuses(other).length]).toEqual([2, 1]);
});

it("never deploys by itself what was never deployed", async () => {
  const id = api({ deployed: false });
  await client.upsert(id, { B: "1" }, {});
  expect(statuses(id)).toEqual([]);
  const deploy = `mutation ($environmentId: String!, $serviceId: String!) {
    id: serviceInstanceDeployV2(environmentId: $environmentId, serviceId: $serviceId) }`;
  const answer = await client.ask(deploy, { serviceId: id });
  expect(answer.data).toEqual({ id: latest(id) });
});

it("leaves the previous deployment serving when the new one fails at its health check", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-fails", stage: "deploy", service: "api" });
  await client.redeploy(latest(id));
  advance(1_000);
  expect(statuses(id)).toEqual(["FAILED", "SUCCESS"]);
  expect(await client.instance(id)).toMatchObject({ activeDeployments: [{ status: "SUCCESS" }] });
});

it("crashes after it succeeded, and then nothing is active", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-crashes", afterMs: 500 });
  await client.redeploy(latest(id));
  advance(160);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED"]);
  advance(500);
  expect(statuses(id)).toEqual(["CRASHED", "REMOVED"]);
  expect(await client.instance(id)).toMatchObject({ activeDeployments: [] });
});

it("hangs until it is released", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-hangs", at: "DEPLOYING" });
  await client.redeploy(latest(id));
  advance(1_000_000);
  expect(statuses(id)).toEqual(["DEPLOYING", "SUCCESS"]);
  expect(simulator.state.releaseDeployments()).toBe(1);
  advance(50);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED"]);
});

it("removes a deployment that a newer one overtook, also one that hangs", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-hangs" });
  simulator.state.deploy({ service: "api" });
  simulator.state.deploy({ service: "api" });
  advance(1_000);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED", "REMOVED"]);
  expect(simulator.state.releaseDeployments()).toBe(0);
});

it("waits for approval, and goes on when somebody approves", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-needs-approval" });
  await client.redeploy(latest(id));
  advance(10_000);
  expect(statuses(id)).toEqual(["NEEDS_APPROVAL", "SUCCESS"]);
  await client.ask(`mutation ($id: String!) { deploymentApprove(id: $id) }`, { id: latest(id) });
  advance(10_000);
  expect(statuses(id)).toEqual(["SUCCESS", "REMOVED"]);
});

it("skips a deployment, which then has no snapshot", async () => {
  const id = api();
  simulator.faults.add({ kind: "deployment-skipped" });
  await client.redeploy(latest(id));
  advance(10_000);
  expect(statuses(id)).toEqual(["SKIPPED", "SUCCESS"]);
  expect(simulator.state.deployments({ service: id })[0]?.snapshotId).toBeNull();
});

it("brings old variables back on a rollback, while the stored ones look right", async () => {
  const id = api();
  const first = latest(id);
  await client.upsert(id, { A: "new" }, {});
  advance(1_000);
  await client.ask(`mutation ($id: String!) { deploymentRollback(id: $id) }`, { id: first });
  advance(1_000);
  expect(await client.stored(id)).toEqual({ A: "new" });
  expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual(["old"]);
});

it("moves a service by a deployment of its own, with what was stored unannounced", async () => {
  const id = api();
  await client.upsert(id, { A: "new" });
  expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual(["old"]);
  simulator.state.maintenance({ service: id });
  advance(10_000);
  expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual(["new"]);
  expect(simulator.state.deployments({ service: id })[0]?.cause).toBe("maintenance");
});

it("restarts a process with the variables it had", async () => {
  const id = api();
  await client.upsert(id, { A: "new" });
  await client.ask(`mutation ($id: String!) { deploymentRestart(id: $id) }`, { id: latest(id) });
  advance(10_000);
  expect(statuses(id)).toEqual(["SUCCESS"]);
  expect(simulator.state.processes({ service: id }).map(({ variables }) => variables["A"])).toEqual(["old"]);
});

it("cancels what is in progress, and lets nothing come of it", async () => {
  const id = api();
  await client.redeploy(latest(id));
  advance(20);
  await client.ask(`mutation ($id: String!) { deploymentCancel(id: $id) }`, { id: latest(id) });
  advance(10_000);
  expect(statuses(id)).toEqual(["REMOVED", "SUCCESS"]);
});

it("ends a cron service's deployment with its process exited, and lets a serverless one fall asleep", async () => {
  const cron = api({ cron: "0 * * * *" });
  const lazy = simulator.state.addService({ name: "lazy", sleeping: true }).serviceId;
  advance(10_000);
  expect(await client.instance(cron)).toMatchObject({
    latestDeployment: { status: "SUCCESS", deploymentStopped: true, instances: [{ status: "EXITED" }] },
  });
  expect(await client.instance(lazy)).toMatchObject({
    activeDeployments: [{ status: "SLEEPING", deploymentStopped: true }],
  });
  simulator.state.wake({ deploymentId: latest(lazy) });
  advance(200);
  expect(statuses(lazy)).toEqual(["SUCCESS"]);
});
