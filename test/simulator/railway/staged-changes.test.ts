import { afterEach, beforeEach, expect, it } from "vitest";
import {
  ManualClock,
  type RailwaySimulator,
  startRailwaySimulator,
} from "../../../src/simulator/railway/server.ts";
import { Client } from "./support.ts";

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
const causes = () => simulator.state.deployments({ service: "api" }).map(({ cause }) => cause);
const patch = (variables: object) => ({ services: { [api]: { variables } } });

async function staged(): Promise<unknown> {
  const answer = await client.ask(`query ($environmentId: String!) {
    environmentStagedChanges(environmentId: $environmentId) { status patch(decryptVariables: true) lastAppliedError } }`);
  return answer.data?.["environmentStagedChanges"];
}

function stage(input: object, merge?: boolean) {
  return client.ask(
    `mutation ($environmentId: String!, $input: EnvironmentConfig!, $merge: Boolean) {
      environmentStageChanges(environmentId: $environmentId, input: $input, merge: $merge) { status } }`,
    { input, merge: merge ?? null },
  );
}

function commitStaged(skipDeploys: boolean) {
  return client.ask(
    `mutation ($environmentId: String!, $skipDeploys: Boolean) {
      environmentPatchCommitStaged(environmentId: $environmentId, skipDeploys: $skipDeploys) }`,
    { skipDeploys },
  );
}

it("answers an empty staged patch when nothing waits", async () => {
  expect(await staged()).toEqual({ status: "STAGED", patch: {}, lastAppliedError: null });
});

it("keeps a staged edit away from everything until it is committed, with all the others", async () => {
  simulator.state.stageChanges({ patch: patch({ HAND: { value: "made" } }) });
  await stage(patch({ A: { value: "new" } }), true);
  expect(await staged()).toMatchObject({ patch: patch({ HAND: { value: "made" }, A: { value: "new" } }) });
  expect([stored(), causes()]).toEqual([{ A: "old" }, ["person"]]);
  await commitStaged(false);
  simulator.state.advance({ ms: 100 });
  expect([stored(), causes()]).toEqual([{ A: "new", HAND: "made" }, ["environmentPatchCommit", "person"]]);
  expect(await staged()).toMatchObject({ patch: {} });
});

it("throws earlier edits away when staging without merge", async () => {
  simulator.state.stageChanges({ patch: patch({ HAND: { value: "made" } }) });
  await stage(patch({ A: { value: "new" } }));
  expect(simulator.state.stagedChanges()).toEqual(patch({ A: { value: "new" } }));
});

it("deploys nothing when told so", async () => {
  await stage(patch({ A: null }));
  await commitStaged(true);
  simulator.state.advance({ ms: 100 });
  expect([stored(), causes()]).toEqual([{}, ["person"]]);
});

it("commits a patch of its own, seals with it, and leaves what is staged alone", async () => {
  simulator.state.stageChanges({ patch: patch({ HAND: { value: "made" } }) });
  await client.ask(
    `mutation ($environmentId: String!, $patch: EnvironmentConfig) {
      environmentPatchCommit(environmentId: $environmentId, patch: $patch) }`,
    {
      patch: {
        ...patch({ S: { value: "sealed", isSealed: true }, A: { isSealed: true } }),
        sharedVariables: { X: { value: "1" } },
      },
    },
  );
  simulator.state.advance({ ms: 100 });
  expect(await client.stored(api)).toEqual({ A: null, S: null });
  expect(await client.stored()).toEqual({ X: "1" });
  expect(stored()).toEqual({ A: "old", S: "sealed" });
  expect(simulator.state.stagedChanges()).toEqual(patch({ HAND: { value: "made" } }));
});

it("is APPLYING for a moment, and says what went wrong", async () => {
  const answer = await stage({ services: { nobody: { variables: { A: { value: "1" } } } } });
  expect(answer.errors).toEqual([]);
  const read = async (id: string) => {
    const found = await client.ask(
      `query ($id: String!) { environmentPatch(id: $id) { status lastAppliedError } }`,
      { id },
    );
    return found.data?.["environmentPatch"];
  };
  const shown = await client.ask(
    `query ($environmentId: String!) { environmentStagedChanges(environmentId: $environmentId) { id } }`,
  );
  const { id } = (shown.data as { environmentStagedChanges: { id: string } }).environmentStagedChanges;
  await commitStaged(false);
  expect(await read(id)).toEqual({ status: "APPLYING", lastAppliedError: null });
  simulator.state.advance({ ms: 100 });
  expect(await read(id)).toEqual({ status: "APPLYING", lastAppliedError: "Service not found" });
});

it("masks staged values for who does not decrypt, and sealed ones for everybody", async () => {
  await stage(patch({ A: { value: "canary-a" }, S: { value: "canary-s", isSealed: true } }));
  const read = await client.ask(`query ($environmentId: String!) {
    plain: environmentStagedChanges(environmentId: $environmentId) { patch }
    decrypted: environmentStagedChanges(environmentId: $environmentId) { patch(decryptVariables: true) } }`);
  expect(JSON.stringify(read.data?.["plain"])).not.toContain("canary");
  expect(JSON.stringify(read.data?.["decrypted"])).toContain("canary-a");
  expect(read.text).not.toContain("canary-s");
});
