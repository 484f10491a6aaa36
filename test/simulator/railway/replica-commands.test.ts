import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import type { DeploymentDurations } from "../../../src/simulator/railway/options.ts";
import { replicaCommands } from "../../../src/simulator/railway/replica-commands.ts";
import {
  INSTANT,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";

/** Tells its environment to a server of the test, says that it is ready, and stays. */
const PROGRAM = `
  fetch(process.env.REPORT_TO, { method: "POST", body: JSON.stringify(process.env) })
    .then(() => console.log("ready"));
  setInterval(() => {}, 1000);
`;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function reports(): Promise<{ url: string; seen: Record<string, string>[] }> {
  const seen: Record<string, string>[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    seen.push(JSON.parse(body) as Record<string, string>);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function start(
  command: readonly string[],
  durations: Partial<DeploymentDurations> = {},
): Promise<RailwaySimulator> {
  const simulator = await startRailwaySimulator({
    durations: { ...INSTANT, ...durations },
    onDeploymentStarted: replicaCommands({ api: { command, readyWhenItPrints: "ready" } }),
  });
  closing.unshift(() => simulator.close());
  return simulator;
}

it("starts a real program with the service's variables and nothing of ours, again on each deployment", async () => {
  const { url, seen } = await reports();
  const simulator = await start(["node", "-e", PROGRAM]);
  simulator.state.addService({ name: "api", variables: { REPORT_TO: url, A: "old" } });
  await simulator.state.idle();
  simulator.state.setVariables({ service: "api", variables: { A: "new" }, deploy: true });
  await simulator.state.idle();
  expect(seen.map(({ A }) => A)).toEqual(["old", "new"]);
  expect(
    Object.keys(seen[0] ?? {})
      .filter((name) => !name.startsWith("RAILWAY_"))
      .sort(),
  ).toEqual(["A", "REPORT_TO"]);
  expect(simulator.state.deployments({ service: "api" }).map(({ status }) => status)).toEqual([
    "SUCCESS",
    "REMOVED",
  ]);
});

it("lets two real processes of a service overlap, and ends the older one", async () => {
  const { url, seen } = await reports();
  const program = `process.env.PID = String(process.pid); ${PROGRAM}`;
  const simulator = await start(["node", "-e", program], { secondMs: 500 });
  simulator.state.addService({ name: "api", variables: { REPORT_TO: url }, overlapSeconds: 1 });
  await simulator.state.idle();
  const lives = ({ PID }: Record<string, string>): boolean => {
    try {
      return process.kill(Number(PID), 0);
    } catch {
      return false;
    }
  };
  const statuses = () => simulator.state.deployments({ service: "api" }).map(({ status }) => status);
  simulator.state.maintenance({ service: "api" });
  await expect.poll(statuses, { interval: 5 }).toEqual(["SUCCESS", "SUCCESS"]);
  expect(seen.map(lives)).toEqual([true, true]);
  await simulator.state.idle();
  expect(statuses()).toEqual(["SUCCESS", "REMOVED"]);
  await expect.poll(() => seen.map(lives)).toEqual([false, true]);
});

it("fails a deployment whose program cannot be started, and one whose program ends at once", async () => {
  for (const command of [["/nowhere/to/be/found"], ["node", "-e", "process.exit(1)"]]) {
    const simulator = await start(command);
    simulator.state.addService({ name: "api", deployed: false });
    simulator.state.deploy({ service: "api" });
    await expect
      .poll(() => simulator.state.deployments({ service: "api" }).map(({ status }) => status))
      .toEqual(["FAILED"]);
  }
});

it("runs nothing for a service without a command", async () => {
  const simulator = await start(["node", "-e", "process.exit(1)"]);
  simulator.state.addService({ name: "toString" });
  await simulator.state.idle();
  expect(simulator.state.deployments({ service: "toString" })).toMatchObject([{ status: "SUCCESS" }]);
});
