/** Answers that the simulator never gives: well-formed GraphQL over HTTP with another meaning than hoped for. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import type { Target } from "../../../src/core/ports/target.ts";
import { at, CANARY, failure, look, never, order, STORE, set } from "./kit.ts";

type Answers = Readonly<Record<string, unknown>>;

let server: Server;
/** `data` of the answer, by the operation's name. */
let answers: Answers = {};

beforeEach(async () => {
  answers = {};
  server = createServer((request, response) => {
    json(request).then((body) => {
      const { operationName } = body as { readonly operationName: string };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ data: answers[operationName] ?? null }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function open(): Target {
  const { port } = server.address() as AddressInfo;
  const { config, credentials } = railwayKind.parse({
    railway: {
      project: "p-1",
      environment: "e-1",
      service: "s-1",
      token: "token-0000",
      tokenKind: "project",
      endpoint: `http://127.0.0.1:${port}/graphql/v2`,
      requestTimeoutMs: 2_000,
    },
  });
  return railwayKind.open(config, credentials, {
    targetName: "api",
    budget: { take: async () => {}, report: async () => {} },
    storeId: STORE,
    revisionMarker: true,
  });
}

const page = (nodes: readonly unknown[]) => ({
  edges: nodes.map((node) => ({ node })),
  pageInfo: { hasNextPage: false, endCursor: null },
});
const observed = {
  variables: { KEPT: CANARY },
  environment: {
    id: "e-1",
    projectId: "p-1",
    config: { services: {} },
    variables: page([]),
    serviceInstances: page([]),
  },
  environmentStagedChanges: { id: "x", status: "STAGED", patch: {} },
  serviceInstance: { id: "i-1", serviceName: "api", deletedAt: null },
};

describe("an answer with status 200", () => {
  it.each([
    ["false", { variableCollectionUpsert: false }],
    ["null", { variableCollectionUpsert: null }],
    ["nothing", {}],
    ["something true-ish", { variableCollectionUpsert: "true" }],
  ])("that says %s to a write does not confirm it", async (_what, data) => {
    answers = { UpsertVariables: data };
    expect((await failure(open().apply(set({ NEW: CANARY }), order(1), never))).code).toBe(
      "TARGET_OUTCOME_UNKNOWN",
    );
  });

  it("that confirms one deletion of two does not confirm the other", async () => {
    answers = { DeleteVariables: { delete0: true, delete1: false } };
    expect((await failure(open().apply({ set: [], unset: at("A", "B") }, order(1), never))).code).toBe(
      "TARGET_OUTCOME_UNKNOWN",
    );
  });

  it("that names no new deployment does not confirm one", async () => {
    const deployment = {
      id: "d-1",
      status: "SUCCESS",
      createdAt: "2026-01-01T00:00:00Z",
      canRedeploy: true,
      deploymentStopped: false,
      instances: [],
    };
    answers = {
      ObserveService: observed,
      Unit: {
        serviceInstance: {
          serviceName: "api",
          cronSchedule: null,
          latestDeployment: deployment,
          activeDeployments: [deployment],
        },
      },
      Redeploy: { deploymentRedeploy: {} },
    };
    const target = open();
    const { units } = await target.observe(at("KEPT"), never);
    const [unit] = units;
    if (unit === undefined || target.activator === null) throw new Error("nothing restarts");
    expect((await failure(target.activator.activate(unit, never))).code).toBe("TARGET_OUTCOME_UNKNOWN");

    // Ours by its id, settled, and yet nobody can say what it was started with.
    const running = { ...deployment, instances: [{ id: "1", status: "RUNNING" }] };
    const node = {
      serviceId: "s-1",
      serviceName: "api",
      cronSchedule: null,
      latestDeployment: running,
      activeDeployments: [running],
    };
    answers = {
      FollowEnvironment: { environment: { serviceInstances: page([node]) } },
      Snapshot: { deploymentSnapshot: null, variables: {} },
    };
    const asked = { id: "d-1", knownIds: [] };
    expect((await look(target, unit, asked, set({ KEPT: CANARY }))).state).toBe("running");
    expect((await look(target, unit, asked)).state).toBe("succeeded");
  });

  it.each([
    [
      "a service that was deleted",
      { serviceInstance: { ...observed.serviceInstance, deletedAt: "2026-01-01" } },
    ],
    ["another project's environment", { environment: { ...observed.environment, projectId: "p-2" } }],
  ])("about %s is no observation", async (_what, part) => {
    answers = { ObserveService: { ...observed, ...part } };
    expect((await failure(open().observe(at("KEPT"), never))).code).toBe("TARGET_MISSING");
  });

  it.each([
    ["no data", null],
    ["values that are not text", { ...observed, variables: { KEPT: { canary: 1 } } }],
    ["a list in place of the map", { ...observed, variables: [CANARY] }],
  ])("with %s is not understood, and not quoted", async (_what, data) => {
    answers = { ObserveService: data };
    expect((await failure(open().observe(at("KEPT"), never))).code).toBe("TARGET_PROTOCOL");
  });
});
