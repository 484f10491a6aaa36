/**
 * The main job as a user does it: the built program, one process on its own store, a Railway (simulated) and a host
 * over real SSH; every command run as a process of its own. A canary value goes all the way and must show nowhere
 * but at its destinations.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { watchCommandLines } from "../support/command-lines.ts";
import { PROGRAM } from "../support/program-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

const CANARY = "canary-7d20e9-first";
const SECOND = "canary-7d20e9-second";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe.skipIf(lacks("sshd"))("the first run", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-e2e-"));
  const data = join(directory, "data");
  const said: string[] = [];
  let railway: RailwaySimulator;
  let sshd: RunningSshd;
  let server: ChildProcess;
  let serviceId: string;
  let url = "";
  let commandLines: ReturnType<typeof watchCommandLines>;

  const env = () => ({ ...process.env, LOCKSTEP_DATA: data, RAILWAY_TOKEN: railway.defaults.projectToken });

  async function lockstep(args: readonly string[], stdin = ""): Promise<Ran> {
    const ran = await new Promise<Ran>((resolve) => {
      const child = execFile(
        process.execPath,
        [PROGRAM, ...args],
        { cwd: directory, env: env() },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.end(stdin);
    });
    said.push(ran.stdout, ran.stderr);
    return ran;
  }

  const json = async (...args: readonly string[]) => JSON.parse((await lockstep([...args, "--json"])).stdout);
  const file = () => join(sshd.home, "app", "env");

  async function startServer(): Promise<void> {
    server = spawn(process.execPath, [PROGRAM, "up", "--port", "0"], {
      cwd: directory,
      env: env(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    server.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    if (server.stdout === null) throw new Error("no output");
    for await (const line of createInterface(server.stdout)) {
      said.push(line);
      url = /http:\S+/.exec(line)?.[0] ?? url;
      if (url !== "") return;
    }
    throw new Error(`it did not start: ${said.join("")}`);
  }

  beforeAll(async () => {
    railway = await startRailwaySimulator({
      durations: { initializingMs: 5, buildingMs: 10, deployingMs: 5, secondMs: 1 },
    });
    ({ serviceId } = await railway.state.addService({
      name: "api",
      variables: { INTERNAL_AUTH_SECRET: CANARY, THEIRS: "untouched" },
    }));
    sshd = await startSshd();
    mkdirSync(join(sshd.home, "app"), { mode: 0o700 });
    writeFileSync(file(), "# kept as it is\nTHEIRS=1\n", { mode: 0o600 });
    writeFileSync(join(directory, "key"), sshd.clientKey.privateKey, { mode: 0o600 });
    const { projectId, environmentId } = railway.defaults;
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  INTERNAL_AUTH_SECRET:
    generate: { random: { bytes: 32, encoding: hex } }
    bindings:
      - { target: api, role: verifier }
      - { target: vps, role: caller }
targets:
  api:
    railway: { project: ${projectId}, environment: ${environmentId}, service: ${serviceId}, token: "\${env:RAILWAY_TOKEN}", endpoint: "${railway.url}", requestTimeoutMs: 2000 }
  vps:
    ssh: { host: ${sshd.host}, port: ${sshd.port}, user: ${sshd.user}, hostKey: "${sshd.hostKey}", privateKey: "\${file:${join(directory, "key")}}" }
    files: [{ path: ${file()}, format: systemd }]
    activate: { command: [/bin/sh, -c, "cp ${file()} ${file()}.running"] }
    health: { command: [/usr/bin/test, -s, "${file()}.running"] }
`,
    );
    await startServer();
    commandLines = watchCommandLines();
  });

  afterAll(async () => {
    commandLines.stop();
    server.kill("SIGTERM");
    if (server.exitCode === null) await once(server, "exit");
    await railway.close();
    await sshd.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });

  it("plan says what would change and touches nothing; apply makes it so; plan has nothing more to say", async () => {
    expect((await lockstep(["plan"])).code).toBe(2);
    expect(await railway.log.writes()).toEqual([]);
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    expect((await lockstep(["plan"])).code).toBe(0);
    expect(await railway.log.writes()).toEqual([]);
  });

  it("import makes the value that is in use the current one, and brings it where it was missing", async () => {
    expect((await lockstep(["import", "INTERNAL_AUTH_SECRET", "--from", "api"])).code).toBe(0);
    await settled();
    expect(readFileSync(file(), "utf8")).toBe(
      `# kept as it is\nTHEIRS=1\nINTERNAL_AUTH_SECRET="${CANARY}"\n`,
    );
    expect(await railway.log.writes()).toEqual([]);
  });

  it("a value from standard input arrives everywhere, and its running units hold it", async () => {
    expect((await lockstep(["secret", "set", "INTERNAL_AUTH_SECRET"], SECOND)).code).toBe(0);
    await settled();
    expect(readFileSync(`${file()}.running`, "utf8")).toContain(SECOND);
    expect(await railway.state.storedVariables({ service: serviceId })).toMatchObject({
      INTERNAL_AUTH_SECRET: SECOND,
      THEIRS: "untouched",
    });
  });

  it("rotate --wait ends with a new version deployed everywhere, in the promised shape", async () => {
    const { code, stdout } = await lockstep(["rotate", "INTERNAL_AUTH_SECRET", "--wait", "--json"]);
    expect(code).toBe(0);
    const bindings = ["api", "vps"].map((target) =>
      expect.objectContaining({
        target,
        version: 3,
        state: "in-sync",
        evidence: expect.stringMatching(/^(deployed|running)$/),
      }),
    );
    expect(JSON.parse(stdout)).toMatchObject({
      secret: "INTERNAL_AUTH_SECRET",
      from: 2,
      to: 3,
      state: "done",
      bindings,
    });
    const stored = await railway.state.storedVariables({ service: serviceId });
    expect(stored["INTERNAL_AUTH_SECRET"]).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(`${file()}.running`, "utf8")).toContain(stored["INTERNAL_AUTH_SECRET"]);
  });

  it("status and history tell it: who, which version, which target, each attempt, with what evidence", async () => {
    const status = await json("status");
    expect(status.secrets).toEqual([
      expect.objectContaining({ name: "INTERNAL_AUTH_SECRET", environment: "production", current: 3 }),
    ]);
    const history = await json("history");
    expect(history.pushes.length).toBeGreaterThanOrEqual(6);
    for (const push of history.pushes) {
      expect(push).toMatchObject({
        attempt: expect.any(Number),
        startedAt: expect.any(String),
        endedAt: expect.any(String),
        outcome: expect.stringMatching(/^(succeeded|unchanged)$/),
      });
    }
    expect(history.pushes[0].items).toEqual([
      expect.objectContaining({ key: "INTERNAL_AUTH_SECRET", version: 3, action: "set" }),
    ]);
  });

  it("check finds a hand edit on the host and exits with 3; the next rotation repairs it and records what was replaced", async () => {
    expect((await lockstep(["check"])).code).toBe(0);
    writeFileSync(file(), readFileSync(file(), "utf8").replace(/SECRET=.*/, 'SECRET="by hand"'));
    expect((await lockstep(["check"])).code).toBe(3);
    expect((await lockstep(["rotate", "INTERNAL_AUTH_SECRET", "--wait"])).code).toBe(0);
    expect((await lockstep(["check"])).code).toBe(0);
    const { pushes } = await json("history");
    expect((await lockstep(["history"])).stdout).toContain("was unknown");
    expect(pushes.length).toBeGreaterThan(0);
  }, 60_000);

  it("a restart of Lockstep loses nothing", async () => {
    server.kill("SIGKILL");
    await once(server, "exit");
    url = "";
    await startServer();
    expect((await json("status")).secrets[0].current).toBe(4);
    expect((await lockstep(["rotate", "INTERNAL_AUTH_SECRET", "--wait"])).code).toBe(0);
    // What the killed one may have leased is free again after half a minute.
  }, 120_000);

  it("Postgres killed in the middle of a rotation: it comes back by itself, and the rotation ends", async () => {
    const pidFile = filesBelow(join(data, "postgres")).find((path) => path.endsWith("postmaster.pid"));
    const postmaster = Number(readFileSync(pidFile ?? "", "utf8").split("\n")[0]);
    const rotation = lockstep(["rotate", "INTERNAL_AUTH_SECRET", "--wait", "--json"]);
    await railway.log.waitFor({
      operation: "UpsertVariables",
      afterSeq: (await railway.log.requests({})).at(-1)?.seq ?? 0,
    });
    process.kill(postmaster, "SIGKILL");
    await rotation;
    await settled();
    const stored = await railway.state.storedVariables({ service: serviceId });
    expect(readFileSync(`${file()}.running`, "utf8")).toContain(stored["INTERNAL_AUTH_SECRET"]);
    const { pushes } = await json("history");
    expect(
      pushes.filter((push: { outcome: string }) => ["started", "unknown"].includes(push.outcome)),
    ).toEqual([]);
    // A lease that could not be given back runs out by itself after half a minute.
  }, 120_000);

  it("Law 8: no value stands in the data directory, in any output, in any process's arguments, or in an answer of the API", async () => {
    for (const path of ["status", "history", "audit", "secrets", "rollouts", "targets", "tokens"]) {
      const answer = await ask(path);
      said.push(`${path} ${answer.status} ${await answer.text()}`);
    }
    const texts = [...said, ...commandLines.seen];
    expect(texts.length).toBeGreaterThan(30);
    for (const canary of [
      "canary-7d20e9",
      Buffer.from(SECOND).toString("base64").slice(0, 20),
      railway.defaults.projectToken,
    ]) {
      expect(texts.filter((text) => text.includes(canary))).toEqual([]);
      expect(filesBelow(data).filter((path) => readFileSync(path).includes(canary))).toEqual([]);
    }
    // The control: the value is where it should be found by the same search.
    expect(
      (await lockstep(["secret", "reveal", "INTERNAL_AUTH_SECRET", "--secret-version", "2"])).stdout,
    ).toContain(SECOND);
  });

  /** As the command asks for it, without the start of a process for each look: those would take the time from the server. */
  async function status() {
    const answer = await ask("status");
    const text = await answer.text();
    said.push(text);
    if (!answer.ok) throw new Error(text);
    return JSON.parse(text);
  }

  function ask(path: string): Promise<Response> {
    const token = readFileSync(join(data, "admin.token"), "utf8").trim();
    return fetch(`${url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
  }

  async function settled(): Promise<void> {
    const deadline = AbortSignal.timeout(90_000);
    for (;;) {
      const { secrets } = await status().catch(() => ({ secrets: [{ bindings: [] }] }));
      const bindings = secrets[0].bindings as { state: string }[];
      if (bindings.length === 2 && bindings.every(({ state }) => state === "in-sync")) return;
      if (deadline.aborted)
        throw new Error(`not settled: ${JSON.stringify(secrets)} ${said.slice(-5).join("")}`);
      await delay(20);
    }
  }
});

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
