import { afterEach, beforeEach, expect, it } from "vitest";
import {
  INSTANT,
  type RailwaySimulator,
  type SimulatorOptions,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { Client, messages } from "./support.ts";

let simulator: RailwaySimulator;
let client: Client;

async function start(options: SimulatorOptions = {}): Promise<void> {
  simulator = await startRailwaySimulator({ durations: INSTANT, ...options });
  client = new Client(simulator);
}

beforeEach(() => start());
afterEach(() => simulator.close());

function service(name: string, variables: Record<string, string | { value: string; sealed: boolean }> = {}) {
  return simulator.state.addService({ name, variables }).serviceId;
}

it("stores a collection and gives it back as written", async () => {
  const id = service("api", { OLD: "1" });
  expect((await client.upsert(id, { NEW: 'a\nb="ü"', REF: "${{shared.X}}" })).data).toEqual({
    variableCollectionUpsert: true,
  });
  expect(await client.stored(id)).toEqual({ OLD: "1", NEW: 'a\nb="ü"', REF: "${{shared.X}}" });
});

it("writes into the shared scope when the service id is missing", async () => {
  const id = service("api");
  await client.upsert(undefined, { EVERYWHERE: "yes" });
  expect(await client.stored()).toEqual({ EVERYWHERE: "yes" });
  expect(await client.stored(id)).toEqual({});
});

it("removes what is not sent when told to replace, also references and sealed values", async () => {
  const id = service("api", { HAND: "made", REF: "${{shared.X}}", SEALED: { value: "s", sealed: true } });
  await client.upsert(id, { ONLY: "this" }, { replace: true, skipDeploys: true });
  expect(simulator.state.storedVariables({ service: id })).toEqual({ ONLY: "this" });
});

it("renders references and provided names in rendered reads only", async () => {
  simulator.state.setShared({ variables: { X: "shared-x", CHAIN: "<${{shared.X}}>" } });
  service("Other Service", { Y: "y of other" });
  const id = service("api", {
    A: "${{shared.X}}",
    B: "${{Other Service.Y}}/${{ A }}",
    C: "${{shared.CHAIN}}",
    D: "[${{nowhere.Z}}]",
    E: "${{E}}",
    F: "${{other service.Y}}",
  });
  const rendered = await client.rendered(id);
  expect(rendered).toMatchObject({
    A: "shared-x",
    B: "y of other/shared-x",
    C: "<shared-x>",
    D: "[]",
    E: "",
    F: "",
    RAILWAY_SERVICE_NAME: "api",
  });
  expect(Object.keys((await client.stored(id)) as object).some((name) => name.startsWith("RAILWAY_"))).toBe(
    false,
  );
});

it("resolves a shared variable's reference to a service to an empty string", async () => {
  service("api", { Y: "y" });
  simulator.state.setShared({ variables: { X: "${{api.Y}}" } });
  expect(await client.rendered()).toEqual({ X: "" });
});

it("never shows a sealed value again, and lets it be overwritten without unsealing it", async () => {
  const id = service("api", { SEALED: { value: "old", sealed: true }, USES: "${{SEALED}}" });
  await client.upsert(id, { SEALED: "new" });
  expect(await client.stored(id)).toMatchObject({ SEALED: null });
  expect(await client.rendered(id)).toMatchObject({ SEALED: null, USES: null });
  expect(simulator.state.storedVariables({ service: id })).toMatchObject({ SEALED: "new" });
  const answer = await client.ask(
    `query ($environmentId: String!) { environment(id: $environmentId) {
      variables { edges { node { name isSealed serviceId references } } } config(decryptVariables: true) } }`,
  );
  expect(answer.data).toMatchObject({
    environment: {
      variables: {
        edges: expect.arrayContaining([
          { node: { name: "SEALED", isSealed: true, serviceId: id, references: [] } },
          { node: { name: "USES", isSealed: false, serviceId: id, references: ["SEALED"] } },
        ]) as unknown,
      },
      config: {
        services: { [id]: { variables: { SEALED: { value: null }, USES: { value: "${{SEALED}}" } } } },
      },
    },
  });
  expect(answer.text).not.toContain("new");
});

it("keeps empty strings apart from absent ones, unless told to drop them", async () => {
  const id = service("api");
  await client.upsert(id, { EMPTY: "" });
  expect(await client.stored(id)).toEqual({ EMPTY: "" });
  await simulator.close();
  await start({ behaviour: { emptyStrings: "drop" } });
  const other = service("api");
  await client.upsert(other, { EMPTY: "", FULL: "1" });
  expect(await client.stored(other)).toEqual({ FULL: "1" });
});

it("refuses names that no process could read, and stores nothing then", async () => {
  const id = service("api");
  expect(messages(await client.upsert(id, { GOOD: "1", "not-good": "2" }))).toEqual([
    "Error in name - Invalid input",
  ]);
  expect(await client.stored(id)).toEqual({});
});

it("answers 400 to values that are no strings", async () => {
  const answer = await client.ask(
    `mutation ($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }`,
    { input: { ...simulator.defaults, variables: { N: 1 } } },
  );
  expect(answer.status).toBe(400);
});

it("deletes one name, and says so when it is not there", async () => {
  const id = service("api", { A: "1", B: "2" });
  expect((await client.remove(id, "A")).data).toEqual({ variableDelete: true });
  expect(await client.stored(id)).toEqual({ B: "2" });
  expect(messages(await client.remove(id, "A"))).toEqual(["Variable not found"]);
});

it("shares a variable by putting a reference into the service", async () => {
  simulator.state.setShared({ variables: { X: "1" } });
  const id = service("api");
  const configure = (enabledServiceIds: string[], disabledServiceIds: string[]) =>
    client.ask(
      `mutation ($input: SharedVariableConfigureInput!) { sharedVariableConfigure(input: $input) { name serviceId } }`,
      {
        input: {
          projectId: simulator.defaults.projectId,
          environmentId: simulator.defaults.environmentId,
          name: "X",
          enabledServiceIds,
          disabledServiceIds,
        },
      },
    );
  expect((await configure([id], [])).data).toEqual({
    sharedVariableConfigure: { name: "X", serviceId: null },
  });
  expect(await client.stored(id)).toEqual({ X: "${{shared.X}}" });
  await configure([], [id]);
  expect(await client.stored(id)).toEqual({});
});

it("moves the configuration's etag with each write", async () => {
  const id = service("api");
  const etag = async () => {
    const answer = await client.ask(
      `query ($environmentId: String!) { environment(id: $environmentId) { configEtag } }`,
    );
    return JSON.stringify(answer.data);
  };
  const before = await etag();
  expect(await etag()).toBe(before);
  await client.upsert(id, { A: "1" });
  expect(await etag()).not.toBe(before);
});
