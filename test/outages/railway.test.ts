/** What happens at Railway: edits by hand, deployments that are not what is stored, credentials. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect } from "vitest";
import { playOutages } from "./outage.ts";
import { FIRST, SECOND, SECRET, type World } from "./world.ts";

const at = (world: World, service: "api" | "worker") =>
  service === "api" ? world.railway.serviceId : world.worker;
const edit = (service: "api" | "worker", value: string) => (world: World) =>
  world.railway.railway.state.setVariables({
    service: at(world, service),
    variables: { [SECRET]: value },
  });
const source = (world: World, from: { readonly repo?: string; readonly image?: string }) =>
  world.railway.railway.state.changeService({ service: world.worker, source: from });
const STAGING = "canary-of-staging-5d20-dddddddd";
const heal = (target: string) => new RegExp(`^lockstep heal --target ${target} --secret ${SECRET}$`);

/** The service itself: it accepts what its process was started with, or what is said here. */
const verifier: { accepts: string | null; running: () => string } = { accepts: null, running: () => "" };
const listener = createServer((request, response) => {
  const accepted = verifier.accepts ?? verifier.running();
  response.writeHead(request.headers["x-secret"] === accepted ? 200 : 401).end();
});
const PROBE = () => ({
  http: {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`,
    headers: { "X-Secret": "{{value}}" },
    accepted: [200],
    refused: [401],
  },
});
async function startVerifier(): Promise<void> {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
}
afterAll(() => void listener.close().closeAllConnections());
async function sealAndDeploy(world: World, value: string): Promise<void> {
  const { state } = world.railway.railway;
  const service = at(world, "api");
  await state.setVariables({ service, variables: { [SECRET]: { value, sealed: true } } });
  await state.deploy({ service });
  await state.idle();
}

playOutages([
  {
    name: "a verifier's value is changed by hand",
    breaks: edit("api", "typed-into-the-dashboard"),
    finding: { id: "hand-edit", target: "api" },
    says: /since then .* changed it, without Lockstep/,
    refuses:
      /Calls from mini, vps and worker to api are refused .* send v2, api accepts a value that Lockstep does not know/,
    command: heal("api"),
  },
  {
    name: "an older value is put back from a backup",
    breaks: edit("worker", FIRST),
    finding: { id: "stale-copy", target: "worker" },
    says: /holds v1 .*should hold v2[\s\S]*older value was put back/,
    refuses: /worker sends v1, api accepts v2/,
    command: heal("worker"),
  },
  {
    name: "the value is pasted with a line break",
    breaks: edit("api", `${SECOND}\r\n`),
    finding: { id: "hand-edit", target: "api" },
    says: /it is v2 with a line break at its end/,
    command: heal("api"),
  },
  {
    name: "the value is pasted in quotes",
    breaks: edit("worker", `"${SECOND}"`),
    finding: { id: "hand-edit", target: "worker" },
    says: /it is v2 in quotes/,
    command: heal("worker"),
  },
  {
    name: "the variable is deleted",
    breaks: (world) =>
      world.railway.railway.state.removeVariables({ service: at(world, "api"), names: [SECRET] }),
    finding: { id: "missing", target: "api" },
    says: /since then somebody deleted it/,
    refuses: /api accepts nothing/,
    command: heal("api"),
  },
  {
    name: "the value is replaced by a reference to another variable",
    breaks: edit("worker", "${{shared.OTHER}}"),
    finding: { id: "hand-edit", target: "worker" },
    says: /since then somebody replaced it with a reference to another variable/,
    // A reference is somebody's arrangement: only the explicit word writes over it.
    command: new RegExp(`^lockstep apply --take-over ${SECRET}@worker$`),
  },
  {
    name: "somebody rolls a service back to its earlier deployment",
    async breaks(world) {
      const service = at(world, "api");
      const deployments = await world.railway.railway.state.deployments({ service });
      const earlier = deployments.at(-2);
      await world.railway.railway.state.rollback({ deploymentId: earlier?.id ?? "" });
      await world.railway.railway.state.idle();
    },
    finding: { id: "process-behind", target: "api" },
    says: /running process holds v1, not v2\. Since the write, the process did not restart, somebody rolled it back/,
    command: heal("api"),
  },
  {
    name: "a deployment fails, and the one before goes on serving",
    async breaks(world) {
      world.railway.railway.faults.add({
        kind: "deployment-fails",
        service: at(world, "api"),
        times: "always",
      });
      await world.cli(`secret set ${SECRET}`, { stdin: "canary-third-88f1-cccccccc" });
      await world.rest();
    },
    finding: { id: "unit-blocked", target: "api" },
    says: /is stored, but api did not restart, so its process still runs with the previous value/,
    command: /^lockstep rollout resume /,
    fixes: (world) => world.railway.railway.faults.clear(),
  },
  {
    name: "somebody stages another value and does not commit it",
    breaks: (world) =>
      world.railway.railway.state.stageChanges({
        patch: { services: { [at(world, "api")]: { variables: { [SECRET]: { value: "staged" } } } } },
      }),
    finding: { id: "staged-change", target: "api", severity: "hint" },
    says: /At api somebody staged another value there; once it is committed, that one counts/,
    command: null,
    fixes: (world) =>
      world.railway.railway.state.stageChanges({
        patch: { services: { [at(world, "api")]: { variables: {} } } },
        merge: false,
      }),
  },
  {
    name: "a second writer changes it back after each healing",
    async breaks(world) {
      await world.configure((config) => {
        const [api] = config.environments.production.secrets[SECRET]?.bindings ?? [];
        if (api !== undefined) api["drift"] = "heal";
      });
      await world.rest();
      for (const value of ["one", "two", "three"]) {
        edit("api", `the-other-writer-${value}`)(world);
        await world.checkNow("api");
        await world.rest();
      }
    },
    finding: { id: "hand-edit", target: "api" },
    says: /healed it 2 times within the last hour, and each time it was changed again.*another program writes there\. Find that program first/,
    command: heal("api"),
    async fixes(world) {
      await world.configure();
    },
  },
  {
    name: "a sealed variable, which nobody can read, is overwritten",
    async breaks(world) {
      await startVerifier();
      await world.configure((config) => {
        const [api] = config.environments.production.secrets[SECRET]?.bindings ?? [];
        if (api !== undefined) api["probe"] = PROBE();
      });
      await world.rest();
      verifier.running = () =>
        world.railway.railway.state.processes({ service: at(world, "api") })[0]?.variables[SECRET] ?? "";
      await sealAndDeploy(world, await world.current());
      expect((await world.doctor()).answer.findings).toEqual([]);
      await sealAndDeploy(world, "typed-over-it");
    },
    finding: { id: "process-behind", target: "api" },
    says: /v\d+ is stored there, but it refuses v\d+ \(/,
    command: heal("api"),
  },
  {
    name: "a verifier's place and process are right, and its application refuses the value",
    breaks() {
      verifier.accepts = "something-of-its-own";
    },
    finding: { id: "process-behind", target: "api" },
    says: /it refuses v\d+ \(/,
    command: heal("api"),
    fixes() {
      verifier.accepts = null;
    },
  },
  {
    name: "Railway does not answer",
    breaks: (world) => world.railway.railway.faults.add({ kind: "http-error", status: 503, times: "always" }),
    finding: { id: "unreachable", target: "api", severity: "cannot-tell" },
    says: /api could not be checked, so nobody can say what it holds now/,
    also: ["unreachable"],
    command: /^lockstep target test api$/,
    fixes: (world) => world.railway.railway.faults.clear(),
  },
  {
    name: "the token is revoked at Railway",
    breaks: (world) =>
      world.railway.railway.state.revokeToken({ token: world.railway.railway.defaults.projectToken }),
    finding: { id: "credential-refused", target: "api" },
    says: /could not be checked/,
    also: ["credential-refused"],
    command: /^lockstep apply$/,
    async fixes(world) {
      const { token } = world.railway.railway.state.addToken({ kind: "project" });
      for (const target of ["api", "worker"]) world.tokens.set(target, token);
      await world.configure();
    },
  },
  {
    name: "this hour's requests are nearly used up",
    breaks: (world) =>
      world.loop.rows(
        "insert into rate_budget (key, limit_per_window, window_ms, remaining, window_ends_at) values ('railway:other', 1000, 3600000, 120, now() + interval '20 minutes') returning key",
      ),
    finding: { id: "budget-low", severity: "cannot-tell" },
    says: /Of a railway token's 1000 requests 120 are left for the next 20 min/,
    command: null,
    fixes: (world) => world.loop.rows("delete from rate_budget where key = 'railway:other' returning key"),
  },
  {
    name: "a service's code is built where its variables are",
    async breaks(world) {
      await source(world, { repo: "example/worker" });
      await world.cli("target test worker");
    },
    finding: { id: "exposed-to-builds", target: "worker", severity: "hint" },
    says: /Builds of worker are given INTERNAL_AUTH_SECRET/,
    command: /^lockstep target test worker$/,
    fixes: (world) => source(world, { image: "example/worker:1" }),
  },
  {
    name: "pull requests get copies of production",
    async breaks(world) {
      await world.railway.railway.state.changeProject({ prDeploys: true });
      await world.cli("target test worker");
    },
    finding: { id: "exposed-to-pull-requests", target: "worker", severity: "hint" },
    says: /pull requests of worker are given INTERNAL_AUTH_SECRET[\s\S]*whoever may open a pull request/,
    command: /^lockstep target test worker$/,
    fixes: (world) => world.railway.railway.state.changeProject({ prDeploys: false }),
  },
  {
    name: "the token given is of another environment",
    async breaks(world) {
      const { state } = world.railway.railway;
      const { environmentId } = state.addEnvironment({ name: "pull-request-1" });
      world.tokens.set("worker", state.addToken({ kind: "project", environmentId }).token);
      await world.configure();
      await world.checkNow("worker");
    },
    finding: { id: "unreachable", target: "worker", severity: "cannot-tell" },
    says: /token is valid, but does not reach[\s\S]*It reaches project \S+, environment \S+: use a token of this environment/,
    command: /^lockstep target test worker$/,
    async fixes(world) {
      world.tokens.set("worker", world.tokens.get("api") ?? "");
      await world.configure();
    },
  },
  {
    name: "staging's value is pasted into production",
    async breaks(world) {
      await world.cli(`secret set ${SECRET} -e staging`, { stdin: STAGING });
      edit("worker", STAGING)(world);
    },
    finding: { id: "hand-edit", target: "worker" },
    says: /holds v1 of staging's INTERNAL_AUTH_SECRET[\s\S]*somebody put another secret's value there/,
    refuses: /worker sends/,
    command: new RegExp(`^lockstep heal --target worker --secret ${SECRET} --environment production$`),
  },
]);
