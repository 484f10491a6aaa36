import { afterAll, beforeAll, expect, it } from "vitest";
import { connectToSimulator } from "../../../src/simulator/railway/control/control-client.ts";
import { type SpawnedSimulator, spawnRailwaySimulator } from "../../../src/simulator/railway/spawn.ts";
import { ask, messages } from "./support.ts";

let simulator: SpawnedSimulator;

beforeAll(async () => {
  simulator = await spawnRailwaySimulator({
    clock: "manual",
    defaults: { projectToken: "chosen" },
    world: { shared: { X: "1" }, services: [{ name: "api", variables: { A: "${{shared.X}}" } }] },
  });
});
afterAll(() => simulator.close());

it("runs as a process of its own, with the world that it was given", async () => {
  const { projectId, environmentId } = simulator.defaults;
  expect(simulator.pid).not.toBe(process.pid);
  const answer = await ask(
    simulator.url,
    { project: "chosen" },
    "{ projectToken { projectId environmentId } }",
  );
  expect(answer.data).toEqual({ projectToken: { projectId, environmentId } });
  expect(await simulator.state.storedVariables({ service: "api" })).toEqual({ A: "${{shared.X}}" });
});

it("is driven from outside: faults, time, deployments, the record", async () => {
  await simulator.faults.add({ kind: "html-page", status: 403, operation: "me" });
  expect((await ask(simulator.url, {}, "{ me { id } }")).status).toBe(403);
  const { deploymentId } = await simulator.state.deploy({ service: "api" });
  await simulator.state.advance({ ms: 10_000 });
  expect(await simulator.state.deployments({ service: "api" })).toMatchObject([
    { id: deploymentId, status: "SUCCESS" },
    { status: "REMOVED" },
  ]);
  expect(await simulator.log.requests({ operation: "me" })).toMatchObject([
    { fault: "html-page", status: 403 },
  ]);
});

it("is shared by everybody who knows the control address", async () => {
  const other = connectToSimulator(simulator.controlUrl);
  const { faultId } = await other.faults.add({ kind: "ignored-write", times: "always" });
  expect(await simulator.faults.list()).toContainEqual({
    id: faultId,
    kind: "ignored-write",
    left: null,
    spoiled: 0,
  });
  await other.faults.clear();
});

it("tells what is wrong with a command", async () => {
  await expect(simulator.state.deploy({ service: "nobody" })).rejects.toThrow("there is no service nobody");
  await expect(simulator.faults.add({ kind: "earthquake" } as never)).rejects.toThrow("Invalid");
});

it("never mixes the API with its control", async () => {
  const { origin, pathname } = new URL(simulator.controlUrl);
  const post = (url: string, type = "application/json") =>
    fetch(url, { method: "POST", headers: { "content-type": type }, body: "{}" });
  expect((await post(`${origin}/state/defaults`)).status).toBe(404);
  expect((await post(`${origin}/graphql/v2`)).status).toBe(404);
  expect((await post(`${new URL(simulator.url).origin}${pathname}/state/defaults`)).status).toBe(404);
  expect((await post(`${simulator.controlUrl}/state/defaults`, "text/plain")).status).toBe(415);
  expect((await post(`${simulator.controlUrl}/state/defaults`)).status).toBe(200);
});

it("refuses to start with an option that it does not know", async () => {
  const start = spawnRailwaySimulator({ behaviour: { gravity: true } } as never);
  await expect(start).rejects.toThrow('Unrecognized key: "gravity"');
});

it("says Not Authorized to a token in the wrong header, also over there", async () => {
  expect(messages(await ask(simulator.url, { bearer: "chosen" }, "{ projectToken { id } }"))).toEqual([
    "Not Authorized",
  ]);
});
