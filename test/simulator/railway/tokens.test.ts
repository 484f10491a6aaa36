import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  INSTANT,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { ask, Client, type Credentials, messages } from "./support.ts";

let simulator: RailwaySimulator;

beforeEach(async () => {
  simulator = await startRailwaySimulator({ durations: INSTANT });
});
afterEach(() => simulator.close());

const PROJECT_TOKEN =
  "{ projectToken { projectId environmentId project { name } environment { canAccess } } }";
const API_TOKEN = "{ apiToken { workspaces { id name } } }";
const ME = "{ me { email apiTokenRateLimit { remainingPoints resetsAt } workspaces { id } } }";

const credentials = {
  account: () => ({ bearer: simulator.defaults.accountToken }),
  workspace: () => ({ bearer: simulator.defaults.workspaceToken }),
  project: () => ({ project: simulator.defaults.projectToken }),
  projectAsBearer: () => ({ bearer: simulator.defaults.projectToken }),
  accountAsProject: () => ({ project: simulator.defaults.accountToken }),
  none: () => ({}),
} satisfies Record<string, () => Credentials>;

describe.each([
  { who: "account", query: ME, allowed: true },
  { who: "workspace", query: ME, allowed: false },
  { who: "project", query: ME, allowed: false },
  { who: "account", query: API_TOKEN, allowed: true },
  { who: "workspace", query: API_TOKEN, allowed: true },
  { who: "project", query: API_TOKEN, allowed: false },
  { who: "project", query: PROJECT_TOKEN, allowed: true },
  { who: "account", query: PROJECT_TOKEN, allowed: false },
  { who: "projectAsBearer", query: PROJECT_TOKEN, allowed: false },
  { who: "accountAsProject", query: ME, allowed: false },
  { who: "none", query: ME, allowed: false },
] as const)("$query with $who", ({ who, query, allowed }) => {
  it(allowed ? "is answered" : "is refused with status 200", async () => {
    const answer = await ask(simulator.url, credentials[who](), query);
    expect(answer.status).toBe(200);
    if (allowed) expect(answer.errors).toEqual([]);
    else expect(messages(answer)).toEqual(["Not Authorized"]);
  });
});

it("tells a project token where it belongs", async () => {
  const answer = await ask(simulator.url, credentials.project(), PROJECT_TOKEN);
  const { projectId, environmentId } = simulator.defaults;
  expect(answer.data).toMatchObject({ projectToken: { projectId, environmentId } });
});

it("says that an unknown project token was not found", async () => {
  expect(messages(await ask(simulator.url, { project: "nobody" }, PROJECT_TOKEN))).toEqual([
    "Project Token not found",
  ]);
});

it("refuses a token from the moment that it is revoked", async () => {
  simulator.state.revokeToken({ token: simulator.defaults.accountToken });
  expect(messages(await ask(simulator.url, credentials.account(), ME))).toEqual(["Not Authorized"]);
});

it("keeps a project token inside its one environment", async () => {
  const { environmentId } = simulator.state.addEnvironment({ name: "staging" });
  const id = simulator.state.addService({ name: "api" }).serviceId;
  const client = new Client(simulator);
  const foreign = await client.ask(`query ($other: String!) { environment(id: $other) { name } }`, {
    other: environmentId,
  });
  expect(messages(foreign)).toEqual(["Not Authorized"]);
  const input = { ...ids(), environmentId, serviceId: id, variables: { A: "1" } };
  const write = await client.ask(
    `mutation ($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }`,
    { input },
  );
  expect(messages(write)).toEqual(["Not Authorized"]);
  const listed = await client.ask(`query ($projectId: String!) { project(id: $projectId) {
    environments { edges { node { id } } } } }`);
  expect(listed.data).toMatchObject({
    project: { environments: { edges: [{ node: { id: simulator.defaults.environmentId } }] } },
  });
});

it("keeps a workspace token inside its workspace", async () => {
  const { workspaceId } = simulator.state.addWorkspace({ name: "other" });
  const { projectId } = simulator.state.addProject({ name: "foreign", workspaceId });
  const query = `query ($id: String!) { project(id: $id) { name } }`;
  const asWorkspace = await ask(simulator.url, credentials.workspace(), query, { id: projectId });
  expect(messages(asWorkspace)).toEqual(["Not Authorized"]);
  const asAccount = await ask(simulator.url, credentials.account(), query, { id: projectId });
  expect(asAccount.data).toEqual({ project: { name: "foreign" } });
});

it("refuses a project id that is not the environment's", async () => {
  const { projectId } = simulator.state.addProject({ name: "second" });
  const client = new Client(simulator, credentials.account());
  const answer = await client.ask(
    `query ($wrong: String!, $environmentId: String!) { variables(projectId: $wrong, environmentId: $environmentId) }`,
    { wrong: projectId },
  );
  expect(messages(answer)).toEqual(["Not Authorized"]);
});

it("asks for a second factor where the workspace wants one", async () => {
  const { workspaceId } = simulator.state.addWorkspace({ name: "strict", requiresTwoFactor: true });
  const { projectId } = simulator.state.addProject({ name: "p", workspaceId });
  const answer = await ask(simulator.url, credentials.account(), `{ project(id: "${projectId}") { id } }`);
  expect(answer.errors).toMatchObject([
    { message: "Two Factor Authentication Required", extensions: { workspaceName: "strict" } },
  ]);
});

it("shows a restricted environment, and nothing in it", async () => {
  simulator.state.restrictEnvironment({ canAccess: false });
  const client = new Client(simulator);
  const answer = await client.ask(
    `query ($environmentId: String!) { environment(id: $environmentId) { canAccess } }`,
  );
  expect(answer.data).toEqual({ environment: { canAccess: false } });
  expect(await client.stored()).toBeUndefined();
});

it("lists deployments to project tokens only when it is told to", async () => {
  const query = `query ($environmentId: String!) { deployments(input: { environmentId: $environmentId }) {
    edges { node { id } } } }`;
  expect(messages(await new Client(simulator).ask(query))).toEqual(["Not Authorized"]);
  expect((await new Client(simulator, credentials.account()).ask(query)).errors).toEqual([]);
});

it("still finds a deleted service by its id, and refuses its instance", async () => {
  const id = simulator.state.addService({ name: "gone" }).serviceId;
  simulator.state.deleteService({ service: "gone" });
  const client = new Client(simulator);
  const found = await client.ask(`query ($id: String!) { service(id: $id) { deletedAt } }`, { id });
  expect(found.data).toMatchObject({ service: { deletedAt: expect.any(String) as unknown } });
  expect(messages(await client.upsert(id, { A: "1" }))).toEqual(["Service not found"]);
});

function ids() {
  const { projectId, environmentId } = simulator.defaults;
  return { projectId, environmentId };
}
