import { afterEach, expect, it } from "vitest";
import {
  INSTANT,
  type RailwaySimulator,
  type ReplicaStart,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";

/** A process that does as it is told. */
class FakeProcess {
  readonly start: ReplicaStart;
  readonly ready: Promise<void>;
  readonly exited: Promise<number | null>;
  stopped = 0;
  becomeReady: () => void = () => {};
  exit: (code: number | null) => void = () => {};

  constructor(start: ReplicaStart) {
    this.start = start;
    this.ready = new Promise((resolve) => {
      this.becomeReady = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.exit = resolve;
    });
  }

  stop(): void {
    this.stopped += 1;
    this.exit(null);
  }
}

let simulator: RailwaySimulator;
let started: FakeProcess[];

async function start(replicas = 1): Promise<string> {
  started = [];
  simulator = await startRailwaySimulator({
    durations: INSTANT,
    onDeploymentStarted: (replica) => {
      const process = new FakeProcess(replica);
      started.push(process);
      return process;
    },
  });
  simulator.state.setShared({ variables: { X: "shared" } });
  const variables = { A: "${{shared.X}}", S: { value: "sealed", sealed: true } };
  return simulator.state.addService({ name: "api", variables, replicas }).serviceId;
}
afterEach(() => simulator.close());

const statuses = () => simulator.state.deployments({ service: "api" }).map(({ status }) => status);
const deploy = () => simulator.state.deploy({ service: "api" });

it("starts one process per replica, with everything that it would be given", async () => {
  const id = await start(2);
  const [first, second] = started;
  expect(first?.start).toMatchObject({
    service: { id, name: "api" },
    replica: 0,
    variables: {
      A: "shared",
      S: "sealed",
      RAILWAY_SERVICE_NAME: "api",
      RAILWAY_DEPLOYMENT_ID: first?.start.deploymentId,
    },
  });
  expect(second?.start.replica).toBe(1);
});

it("succeeds when the new process is ready, and only then stops the old one", async () => {
  await start();
  deploy();
  await expect.poll(() => started.length).toBe(2);
  expect([statuses(), started[0]?.stopped]).toEqual([["DEPLOYING", "SUCCESS"], 0]);
  started[1]?.becomeReady();
  await expect.poll(statuses).toEqual(["SUCCESS", "REMOVED"]);
  expect([started[0]?.stopped, started[1]?.stopped]).toEqual([1, 0]);
});

it("fails when the process ends before it is ready, and the old one goes on", async () => {
  await start();
  deploy();
  await expect.poll(() => started.length).toBe(2);
  started[1]?.exit(1);
  await expect.poll(statuses).toEqual(["FAILED", "SUCCESS"]);
  expect(started[0]?.stopped).toBe(0);
});

it("crashes when a ready process ends with a failure, and not when it ends well", async () => {
  await start();
  deploy();
  await expect.poll(() => started.length).toBe(2);
  started[1]?.becomeReady();
  await expect.poll(statuses).toEqual(["SUCCESS", "REMOVED"]);
  started[1]?.exit(1);
  await expect.poll(statuses).toEqual(["CRASHED", "REMOVED"]);
  deploy();
  await expect.poll(() => started.length).toBe(3);
  started[2]?.becomeReady();
  await expect.poll(() => statuses()[0]).toBe("SUCCESS");
  started[2]?.exit(0);
  await expect.poll(() => simulator.state.deployments({ service: "api" })[0]?.replicas).toEqual(["EXITED"]);
  expect(statuses()[0]).toBe("SUCCESS");
});

it("starts a restarted process with the variables it had", async () => {
  await start();
  started[0]?.becomeReady();
  await simulator.state.idle();
  simulator.state.setShared({ variables: { X: "changed" } });
  const [deployment] = simulator.state.deployments({ service: "api" });
  simulator.simulation.deployer.restart(
    simulator.simulation.world.deployments.get(deployment?.id ?? "") as never,
  );
  await expect.poll(() => started.length).toBe(2);
  expect([started[0]?.stopped, started[1]?.start.variables["A"]]).toEqual([1, "shared"]);
  started[1]?.becomeReady();
  await simulator.state.idle();
  expect(simulator.state.deployments({ service: "api" })).toMatchObject([
    { status: "SUCCESS", replicas: ["RUNNING"] },
  ]);
});

it("stops every process when it closes", async () => {
  await start(3);
  await simulator.close();
  expect(started.map(({ stopped }) => stopped)).toEqual([1, 1, 1]);
});
