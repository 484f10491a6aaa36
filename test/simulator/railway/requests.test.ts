import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ManualClock,
  type RailwaySimulator,
  type SimulatorOptions,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { ask, Client, messages } from "./support.ts";

let simulator: RailwaySimulator;
let client: Client;

async function start(options: SimulatorOptions = {}): Promise<void> {
  simulator = await startRailwaySimulator({ clock: new ManualClock(), ...options });
  client = new Client(simulator);
}
afterEach(() => simulator.close());

describe("answers", () => {
  beforeEach(() => start());

  it.each([
    { why: "does not parse", query: "{ me", code: "GRAPHQL_PARSE_FAILED" },
    { why: "does not validate", query: "{ me { shoeSize } }", code: "GRAPHQL_VALIDATION_FAILED" },
    {
      why: "lacks a variable",
      query: "query ($id: String!) { project(id: $id) { id } }",
      code: "BAD_USER_INPUT",
    },
    {
      why: "takes an id for ID!",
      query: "query ($id: ID!) { project(id: $id) { id } }",
      code: "GRAPHQL_VALIDATION_FAILED",
    },
  ])("400 to a document that $why", async ({ query, code }) => {
    const answer = await ask(simulator.url, {}, query);
    expect([answer.status, answer.errors[0]?.extensions?.["code"]]).toEqual([400, code]);
  });

  it("an error's trace id with every failure", async () => {
    const answer = await ask(simulator.url, {}, "{ me { id } }");
    expect(answer.errors[0]?.extensions).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{16}$/) as unknown,
    });
  });

  it("404 anywhere else", async () => {
    expect((await fetch(new URL("/", simulator.url))).status).toBe(404);
  });

  it("no mutation over GET", async () => {
    const url = new URL(simulator.url);
    url.searchParams.set("query", 'mutation { deploymentRestart(id: "x") }');
    expect((await fetch(url)).status).toBe(405);
  });
});

describe("limits", () => {
  it("count down in headers, then refuse with Retry-After until the window ends", async () => {
    await start({ rateLimit: { limit: 2, windowMs: 60_000 } });
    const first = await client.ask("{ projectToken { id } }");
    expect([
      ...["limit", "remaining", "reset"].map((name) => first.headers.get(`x-ratelimit-${name}`)),
    ]).toEqual(["2", "1", String(Date.parse("2026-01-01T00:01:00Z") / 1_000)]);
    await client.ask("{ projectToken { id } }");
    simulator.state.advance({ ms: 15_000 });
    const refused = await client.ask("{ projectToken { id } }");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "45"]);
    expect(simulator.log.requests().at(-1)).toMatchObject({ status: 429, executed: "no", fault: null });
    simulator.state.advance({ ms: 45_000 });
    expect((await client.ask("{ projectToken { id } }")).status).toBe(200);
  });

  it("belong to each token, and one may have its own", async () => {
    await start({ rateLimit: { limit: 1 } });
    const { token } = simulator.state.addToken({ kind: "account", limit: 5 });
    await client.ask("{ projectToken { id } }");
    const other = await ask(
      simulator.url,
      { bearer: token },
      "{ me { apiTokenRateLimit { remainingPoints } } }",
    );
    expect(other.data).toEqual({ me: { apiTokenRateLimit: { remainingPoints: 4 } } });
  });

  it("hold within any second", async () => {
    await start({ rateLimit: { perSecond: 2, resetFormat: "iso-date" } });
    const statuses = [];
    for (let count = 0; count < 3; count += 1)
      statuses.push((await client.ask("{ projectToken { id } }")).status);
    simulator.state.advance({ ms: 1_000 });
    const later = await client.ask("{ projectToken { id } }");
    expect([...statuses, later.status]).toEqual([200, 200, 429, 200]);
    expect(later.headers.get("x-ratelimit-reset")).toBe("2026-01-01T01:00:00.000Z");
  });

  it("hold for the deployments of one service, after the value was stored", async () => {
    await start({ behaviour: { deploymentThrottle: { max: 1, windowMs: 60_000 } } });
    const id = simulator.state.addService({ name: "api" }).serviceId;
    await client.upsert(id, { A: "1" }, {});
    expect(messages(await client.upsert(id, { A: "2" }, {}))).toEqual([
      "Service deployment rate limit exceeded",
    ]);
    expect(simulator.state.storedVariables({ service: id })).toEqual({ A: "2" });
    simulator.state.advance({ ms: 60_000 });
    expect((await client.upsert(id, { A: "3" }, {})).errors).toEqual([]);
  });
});

describe("the record", () => {
  beforeEach(() => start());

  it("names who asked for what, and no value", async () => {
    const id = simulator.state.addService({ name: "api", variables: { OLD: "1" } }).serviceId;
    await client.upsert(id, { NAME: "canary-value" });
    await client.remove(id, "OLD");
    expect(simulator.log.requests()).toMatchObject([
      {
        seq: 1,
        operationName: "Upsert",
        operations: ["variableCollectionUpsert"],
        token: "project",
        services: [id],
        variablesSet: ["NAME"],
        variablesDeleted: [],
        fields: [{ skipDeploys: true, replace: false }],
        status: 200,
        executed: "yes",
      },
      { operationName: "Delete", services: [id], variablesDeleted: ["OLD"] },
    ]);
    expect(JSON.stringify(simulator.log.requests())).not.toContain("canary-value");
    expect(JSON.stringify(simulator.log.unsafeVariables({ seq: 1 }))).toContain("canary-value");
  });

  it("counts root fields, also aliased ones, and keeps writes and deployments apart from reads", async () => {
    const id = simulator.state.addService({ name: "api", variables: { A: "1", B: "2" } });
    const scope = `projectId: "${simulator.defaults.projectId}", environmentId: "${simulator.defaults.environmentId}"`;
    await client.ask(`{ a: variables(${scope}) b: variables(${scope}, serviceId: "${id.serviceId}") }`);
    await client.ask(`mutation {
      a: variableDelete(input: { ${scope}, serviceId: "${id.serviceId}", name: "A" })
      b: variableDelete(input: { ${scope}, serviceId: "${id.serviceId}", name: "B" })
    }`);
    await client.redeploy(id.deploymentId ?? "");
    expect(simulator.log.counts()).toEqual({ variables: 2, variableDelete: 2, deploymentRedeploy: 1 });
    expect(simulator.log.writes()).toMatchObject([{ variablesDeleted: ["A", "B"] }]);
    expect(simulator.log.deploys()).toMatchObject([{ services: [id.serviceId] }]);
    expect(simulator.log.requests({ operation: "variables" })).toHaveLength(1);
  });

  it("lets a test wait for a request, and gives up in time", async () => {
    const waiting = simulator.log.waitFor({ operation: "projectToken", count: 2 });
    await client.ask("{ projectToken { id } }");
    await client.ask("{ projectToken { id } }");
    expect(await waiting).toHaveLength(2);
    await expect(simulator.log.waitFor({ operation: "me", timeoutMs: 1 })).rejects.toThrow(
      "no me came in time",
    );
  });
});

it("gives lists page by page", async () => {
  await start({ behaviour: { maxPageSize: 2 } });
  for (const name of ["a", "b", "c"]) simulator.state.addService({ name });
  const query = `query ($environmentId: String!, $after: String) { environment(id: $environmentId) {
    serviceInstances(after: $after, first: 100) { edges { node { serviceName } } pageInfo { hasNextPage endCursor } } } }`;
  const names: string[] = [];
  let after: string | null = null;
  let pages = 0;
  do {
    const answer = await client.ask(query, { after });
    const page = (answer.data as { environment: { serviceInstances: Page } }).environment.serviceInstances;
    names.push(...page.edges.map(({ node }) => node.serviceName));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
    pages += 1;
  } while (after !== null);
  expect([names, pages]).toEqual([["a", "b", "c"], 2]);
});

interface Page {
  readonly edges: readonly { readonly node: { readonly serviceName: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
