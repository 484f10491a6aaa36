import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ManualClock,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { Client, messages } from "./support.ts";

let simulator: RailwaySimulator;
let client: Client;
let api: string;

beforeEach(async () => {
  simulator = await startRailwaySimulator({ clock: new ManualClock() });
  client = new Client(simulator);
  api = simulator.state.addService({ name: "api", variables: { A: "old" } }).serviceId;
});
afterEach(() => simulator.close());

const stored = () => simulator.state.storedVariables({ service: "api" });
const write = () => client.upsert(api, { A: "new" });
const lastRequest = () => simulator.log.requests().at(-1);

describe("429", () => {
  it("comes before anything is done, with Retry-After only when told", async () => {
    simulator.faults.add({ kind: "rate-limited" });
    simulator.faults.add({ kind: "rate-limited", retryAfterSeconds: 7, body: "html" });
    const bare = await write();
    expect([bare.status, bare.headers.get("retry-after")]).toEqual([429, null]);
    const told = await write();
    expect([told.status, told.headers.get("retry-after"), told.text.startsWith("<!DOCTYPE")]).toEqual([
      429,
      "7",
      true,
    ]);
    expect(stored()).toEqual({ A: "old" });
    expect((await write()).status).toBe(200);
  });

  it("can hide inside a GraphQL error of status 200", async () => {
    simulator.faults.add({ kind: "graphql-rate-limited" });
    const answer = await write();
    expect([answer.status, messages(answer).join()]).toEqual([200, expect.stringContaining("try again in")]);
    expect(stored()).toEqual({ A: "old" });
  });
});

describe("504", () => {
  it.each([
    { applied: "yes", after: "new", executed: "yes" },
    { applied: "no", after: "old", executed: "no" },
  ] as const)("with applied: $applied leaves the $after value", async ({ applied, after, executed }) => {
    simulator.faults.add({ kind: "gateway-timeout", applied });
    const answer = await write();
    expect([answer.status, answer.data, answer.text.includes("<html>")]).toEqual([504, null, true]);
    expect(stored()).toEqual({ A: after });
    expect(lastRequest()).toMatchObject({ executed, fault: "gateway-timeout", status: 504 });
  });

  it("can land after a delay, over a newer write", async () => {
    simulator.faults.add({ kind: "gateway-timeout", applied: "late", lateMs: 30_000 });
    expect((await write()).status).toBe(504);
    await client.upsert(api, { A: "newer" });
    expect(stored()).toEqual({ A: "newer" });
    simulator.state.advance({ ms: 30_000 });
    await expect.poll(stored).toEqual({ A: "new" });
    expect(simulator.log.requests()[0]).toMatchObject({ executed: "late" });
  });

  it("can land when it is released", async () => {
    const { faultId } = simulator.faults.add({ kind: "gateway-timeout", applied: "late" });
    await write();
    expect([stored(), simulator.faults.held()]).toEqual([{ A: "old" }, [{ faultId, what: "request 1" }]]);
    expect(simulator.faults.release({ faultId })).toBe(1);
    await expect.poll(stored).toEqual({ A: "new" });
  });
});

describe("a slow request", () => {
  it("is executed and its answer held", async () => {
    simulator.faults.add({ kind: "slow", operation: "variableCollectionUpsert" });
    const answer = write();
    await expect.poll(stored).toEqual({ A: "new" });
    expect(simulator.log.requests()[0]?.status).toBeNull();
    await expect.poll(() => simulator.faults.release()).toBe(1);
    expect((await answer).data).toEqual({ variableCollectionUpsert: true });
  });

  it("is held before it is executed", async () => {
    simulator.faults.add({ kind: "slow", hold: "request", holdMs: 500 });
    const answer = write();
    await expect.poll(() => simulator.faults.held().length).toBe(1);
    expect(stored()).toEqual({ A: "old" });
    simulator.state.advance({ ms: 500 });
    expect((await answer).status).toBe(200);
    expect(stored()).toEqual({ A: "new" });
  });
});

it.each([200, 403])("answers the edge's HTML page with status %i", async (status) => {
  simulator.faults.add({ kind: "html-page", status });
  const answer = await write();
  expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "text/html; charset=UTF-8"]);
  expect(stored()).toEqual({ A: "old" });
});

it("answers 200 with an error, applied or not", async () => {
  simulator.faults.add({ kind: "graphql-error", message: "Problem processing request" });
  simulator.faults.add({ kind: "graphql-error", message: "Whoa there pal", applied: true });
  expect(messages(await write())).toEqual(["Problem processing request"]);
  expect(stored()).toEqual({ A: "old" });
  expect(messages(await write())).toEqual(["Whoa there pal"]);
  expect(stored()).toEqual({ A: "new" });
});

it("answers data with holes and an error for each", async () => {
  simulator.faults.add({
    kind: "partial-data",
    paths: ["serviceInstance.activeDeployments.0.instances", "x"],
  });
  const answer = await client.ask(
    `query ($environmentId: String!, $api: String!) { serviceInstance(environmentId: $environmentId, serviceId: $api) {
      serviceName activeDeployments { instances { status } } } }`,
    { api },
  );
  expect(answer.data).toEqual({
    serviceInstance: { serviceName: "api", activeDeployments: [{ instances: null }] },
  });
  expect(answer.errors).toMatchObject([
    { path: ["serviceInstance", "activeDeployments", 0, "instances"] },
    { path: ["x"] },
  ]);
});

it.each([
  { applied: true, after: "new" },
  { applied: false, after: "old" },
])("drops the connection, applied: $applied", async ({ applied, after }) => {
  simulator.faults.add({ kind: "dropped-connection", applied });
  await expect(write()).rejects.toThrow();
  expect(stored()).toEqual({ A: after });
  expect(lastRequest()).toMatchObject({ dropped: true, status: null });
});

it("drops the connection, and carries the request out when it is released", async () => {
  const { faultId } = simulator.faults.add({ kind: "dropped-connection", applied: "late" });
  await expect(write()).rejects.toThrow();
  expect(stored()).toEqual({ A: "old" });
  simulator.faults.release({ faultId });
  await expect.poll(stored).toEqual({ A: "new" });
});

it("reads the state before the last writes, for as many reads as told", async () => {
  simulator.faults.add({ kind: "stale-read", writesBehind: 2, times: 2 });
  await client.upsert(api, { A: "1" });
  await client.upsert(api, { A: "2" });
  expect(await client.stored(api)).toEqual({ A: "old" });
  expect(await client.rendered(api)).toMatchObject({ A: "old" });
  expect(await client.stored(api)).toEqual({ A: "2" });
});

it("reads the old state for as long as told", async () => {
  simulator.faults.add({ kind: "stale-read", times: "always", forMs: 1_000 });
  await write();
  expect(await client.stored(api)).toEqual({ A: "old" });
  simulator.state.advance({ ms: 1_001 });
  expect(await client.stored(api)).toEqual({ A: "new" });
});

it("acknowledges a write that it ignores", async () => {
  simulator.faults.add({ kind: "ignored-write", times: 2 });
  const before = simulator.state.writeCount();
  expect((await write()).data).toEqual({ variableCollectionUpsert: true });
  expect((await client.remove(api, "A")).data).toEqual({ variableDelete: true });
  expect([simulator.state.writeCount(), stored()]).toEqual([before, { A: "old" }]);
});

describe("matching", () => {
  it("looks at the operation's name, at root fields and at services", async () => {
    const other = simulator.state.addService({ name: "other" }).serviceId;
    simulator.faults.add({ kind: "http-error", status: 500, operation: "Upsert", service: "other" });
    simulator.faults.add({ kind: "http-error", status: 503, operation: ["variableDelete"], service: api });
    expect((await write()).status).toBe(200);
    expect((await client.upsert(other, { A: "1" })).status).toBe(500);
    expect((await client.remove(other, "A")).status).toBe(200);
    expect((await client.remove(api, "A")).status).toBe(503);
    expect(simulator.faults.list().map(({ left, spoiled }) => [left, spoiled])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it("can let some pass first, and ends when it is cleared", async () => {
    simulator.faults.add({ kind: "http-error", status: 502, skip: 1, times: "always" });
    const seen: number[] = [];
    for (let count = 0; count < 3; count += 1) seen.push((await write()).status);
    simulator.faults.clear();
    seen.push((await write()).status);
    expect(seen).toEqual([200, 502, 502, 200]);
  });

  it("refuses a fault that does not exist, or with a part that it does not know", () => {
    const misspelt = { kind: "rate-limited", retryAfter: 3 } as never;
    expect(() => simulator.faults.add(misspelt)).toThrow();
    expect(() => simulator.faults.add({ kind: "earthquake" } as never)).toThrow();
  });
});
