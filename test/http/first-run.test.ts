/** Looking around and trying before anything is configured: what a token reaches, and that nothing of it stays. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { railwayKind } from "../../src/adapters/targets/railway/target.ts";
import { closeSshConnections, sshKind } from "../../src/adapters/targets/ssh/target.ts";
import { INSTANT, type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

const getDatabase = useDatabase();
const hidden: string[] = [];
let loop: LoopKit;
let http: HttpKit;
let railway: RailwaySimulator;

beforeAll(async () => {
  loop = createLoopKit(getDatabase());
  const context = loop.other({
    targetKinds: new Map([railwayKind, sshKind].map((kind) => [kind.kind, kind])),
    hideFromLog: (credential) => hidden.push(credential.reveal()),
  });
  http = await createHttpKit(context);
  railway = await startRailwaySimulator({ durations: INSTANT, behaviour: { maxPageSize: 2 } });
  for (const name of ["web", "api", "cron"]) await railway.state.addService({ name });
});
afterAll(async () => {
  await railway.close();
  await http.server.close();
});

const ask = async (path: string, body: object, token?: string) => {
  const answered = await http.ask(`/api/v1${path}`, {
    method: "POST",
    body: { endpoint: railway.url, ...body },
    ...(token === undefined ? {} : { token }),
  });
  return { status: answered.status, text: answered.text, json: answered.json() as Record<string, unknown> };
};

describe("what a Railway token reaches", () => {
  test("a project token: its own environment, by name", async () => {
    const { projectToken, projectId, environmentId } = railway.defaults;
    expect((await ask("/railway/projects", { token: projectToken })).json).toEqual({
      tokenKind: "project",
      projects: [
        {
          id: projectId,
          name: "project",
          environments: [{ id: environmentId, name: "production", accessible: true }],
        },
      ],
    });
  });

  test.each(["accountToken", "workspaceToken"] as const)(
    "%s: every project of its workspaces, over all pages, without deleted, pull-request and with restricted environments",
    async (kind) => {
      const other = await railway.state.addProject({ name: "shop" });
      const names = ["production", "staging", "gone", "closed", "pr-7"];
      for (const name of names) {
        const { environmentId } = await railway.state.addEnvironment({
          name,
          projectId: other.projectId,
          isEphemeral: name === "pr-7",
          canAccess: name !== "closed",
        });
        if (name === "gone") await railway.state.deleteEnvironment({ environmentId });
      }
      const found = await ask("/railway/projects", { token: railway.defaults[kind] });
      const projects = found.json["projects"] as {
        id: string;
        environments: { name: string; accessible: boolean }[];
      }[];
      const shop = projects.find(({ id }) => id === other.projectId);
      expect(shop?.environments).toMatchObject([
        { name: "production", accessible: true },
        { name: "staging", accessible: true },
        { name: "closed", accessible: false },
      ]);
      expect(projects.map(({ id }) => id)).toContain(railway.defaults.projectId);
    },
  );

  test("the services of an environment, over all pages, by name", async () => {
    const found = await ask("/railway/services", {
      token: railway.defaults.projectToken,
      environment: railway.defaults.environmentId,
    });
    expect(found.json).toMatchObject({ services: [{ name: "api" }, { name: "cron" }, { name: "web" }] });
  });

  test("a name that would steer a terminal is shown, not obeyed", async () => {
    const { projectId } = await railway.state.addProject({ name: "x\u001b[2J\ny" });
    const { text, json } = await ask("/railway/projects", { token: railway.defaults.accountToken });
    expect(text).not.toContain("\\u001b");
    expect(json["projects"]).toContainEqual(
      expect.objectContaining({ id: projectId, name: "x\\u{1b}[2J\\u{a}y" }),
    );
  });

  test("a refused token is named as such, with the remedy, and not repeated", async () => {
    const refused = await ask("/railway/projects", { token: "canary-0b1c-refused" });
    expect(refused.status).toBe(502);
    expect(refused.json).toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
      hint: expect.stringContaining("RAILWAY_TOKEN"),
    });
    expect(refused.text).not.toContain("canary");
  });

  test("an environment outside the token's reach is not found", async () => {
    const refused = await ask("/railway/services", {
      token: railway.defaults.projectToken,
      environment: "11111111-1111-4111-8111-111111111111",
    });
    expect(refused.json).toMatchObject({ code: "TARGET_MISSING" });
  });

  test.each([
    "http://railway.example.com/graphql",
    "https://169.254.169.254/latest",
    "https://user:canary@railway.example.com/",
    "file:///etc/passwd",
    "nonsense",
  ])("the token is not sent to %s", async (endpoint) => {
    const refused = await ask("/railway/projects", { token: railway.defaults.projectToken, endpoint });
    expect(refused.json).toMatchObject({ code: "INPUT_INVALID" });
    expect(refused.text).not.toContain("canary");
  });

  test("a token that is no token is refused without being repeated", async () => {
    const refused = await ask("/railway/projects", { token: "canary\r\nx: y" });
    expect(refused.json).toMatchObject({ code: "INPUT_INVALID" });
    expect(refused.text).not.toContain("canary");
  });
});

describe.skipIf(lacks("sshd"))("trying a host that is not applied", () => {
  let sshd: RunningSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(async () => {
    await closeSshConnections();
    await sshd.stop();
  });

  const hostOf = (changes: object = {}) => ({
    ssh: {
      ...sshd.login,
      ...changes,
    },
    files: [{ path: "~/app.env", format: "dotenv" }],
  });

  test("answers checks and abilities", async () => {
    const tried = await ask("/try-target", { endpoint: undefined, target: hostOf() });
    expect(tried.json).toMatchObject({ kind: "ssh", ok: true, capabilities: { conditionalWrite: true } });
    expect(tried.json["checks"]).toContainEqual(expect.objectContaining({ name: "login", ok: true }));
  });

  test("a closed door is an answer, not an error", async () => {
    const tried = await ask("/try-target", { endpoint: undefined, target: hostOf({ port: 9 }) });
    expect(tried.status).toBe(200);
    expect(tried.json).toMatchObject({ ok: false, checks: [{ name: "login", ok: false }] });
  });

  test("a damaged key is refused and not repeated", async () => {
    const damaged = sshd.clientKey.privateKey.replace(/\n.{20}/, "\ncanary-5d2");
    const refused = await ask("/try-target", {
      endpoint: undefined,
      target: hostOf({ privateKey: damaged }),
    });
    expect(refused.json).toMatchObject({ code: "CONFIG_INVALID" });
    expect(refused.text).not.toContain("canary");
  });
});

test("nothing is tried that names no kind, several, or one that this release lacks", async () => {
  for (const target of [{}, { ssh: {}, railway: {} }, { manual: {} }]) {
    const refused = await ask("/try-target", { endpoint: undefined, target });
    expect(["INPUT_INVALID", "UNSUPPORTED"]).toContain(refused.json["code"]);
  }
});

test.each(["/railway/projects", "/railway/services", "/try-target"])(
  "%s needs the right to configure",
  async (path) => {
    expect((await ask(path, {}, await http.token("operator"))).json).toMatchObject({ code: "FORBIDDEN" });
  },
);

test("credentials that came in a body are hidden from the log, and stand nowhere in the store", async () => {
  const { projectToken, accountToken } = railway.defaults;
  expect(hidden).toEqual(expect.arrayContaining([projectToken, accountToken]));
  const tables = await loop.rows<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  for (const { name } of tables) {
    const rows = JSON.stringify(await loop.rows(`select * from "${name}"`));
    for (const credential of hidden) expect(rows).not.toContain(credential);
  }
  expect(tables.length).toBeGreaterThan(10);
});

test("which kinds there are can be asked by whoever may plan", async () => {
  const { text } = await http.ask("/api/v1/target-kinds");
  expect(JSON.parse(text)).toEqual({ kinds: ["railway", "ssh"] });
});
