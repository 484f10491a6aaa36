/**
 * `lockstep discover` against a real `lockstep up`, a simulated Railway and a real sshd: the places that the outage which
 * Lockstep was made for had forgotten are named, nothing else is, and no value shows.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { INSTANT, type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { type Ran, type RunOptions, runCli } from "../support/cli-kit.ts";
import { answerOf } from "../support/http-kit.ts";
import { PROGRAM } from "../support/program-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

const VALUES = ["canary-5c18-older", "canary-5c18-current", "canary-5c18-theirs"] as const;
const [OLDER, CURRENT, THEIRS] = VALUES;

describe.skipIf(lacks("sshd"))("lockstep discover", () => {
  const root = mkdtempSync(join(tmpdir(), "lockstep-discover-"));
  const data = join(root, "data");
  const said: string[] = [];
  let up: ChildProcess;
  let railway: RailwaySimulator;
  let sshd: RunningSshd;

  async function lockstep(words: string, options: RunOptions = {}): Promise<Ran> {
    const env = { LOCKSTEP_DATA: data, RAILWAY_TOKEN: railway.defaults.projectToken };
    const ran = await runCli(words.split(" "), { ...options, env });
    said.push(ran.stdout, ran.stderr);
    return ran;
  }

  beforeAll(async () => {
    railway = await startRailwaySimulator({ durations: INSTANT });
    const { serviceId } = await railway.state.addService({ name: "api" });
    sshd = await startSshd();
    const app = join(sshd.home, "app");
    mkdirSync(app, { mode: 0o700 });
    writeFileSync(join(app, "env"), "OTHER=1\n", { mode: 0o600 });
    writeFileSync(join(root, "key"), sshd.clientKey.privateKey, { mode: 0o600 });
    const { projectId, environmentId } = railway.defaults;
    writeFileSync(
      join(root, "lockstep.yaml"),
      `environment: production
secrets:
  AUTH:
    bindings: [{ target: api, role: verifier }, { target: vps, role: caller }]
targets:
  api:
    railway: { project: ${projectId}, environment: ${environmentId}, service: ${serviceId}, token: "\${env:RAILWAY_TOKEN}", endpoint: "${railway.url}" }
  vps:
    ssh: { host: ${sshd.host}, port: ${sshd.port}, user: ${sshd.user}, hostKey: "${sshd.hostKey}", privateKey: "\${file:${join(root, "key")}}" }
    files: [{ path: "~/app/env", format: dotenv }]
`,
    );
    up = spawn(process.execPath, [PROGRAM, "up", "--port", "0"], {
      env: { PATH: process.env["PATH"], HOME: root, LOCKSTEP_DATA: data },
      stdio: ["ignore", "pipe", "pipe"],
    });
    up.stderr?.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    if (up.stdout === null) throw new Error("no output");
    for await (const line of createInterface(up.stdout)) if (line.includes("running at")) break;
    up.stdout.resume();
    expect((await lockstep(`apply --yes -f ${join(root, "lockstep.yaml")}`)).exitCode).toBe(0);
    for (const value of [OLDER, CURRENT]) {
      expect((await lockstep("secret set AUTH", { stdin: value })).exitCode).toBe(0);
    }
  }, 60_000);

  afterAll(async () => {
    up.kill("SIGTERM");
    if (up.exitCode === null) await once(up, "exit");
    await railway.close();
    await sshd.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });

  test("says that nothing is forgotten when nothing is", async () => {
    const ran = await lockstep("discover");
    expect(ran).toMatchObject({ exitCode: 0, stdout: "Nothing forgotten within reach of api, vps.\n" });
  });

  test("names each forgotten place, which version it holds, and what would manage it", async () => {
    await railway.state.addService({
      name: "worker",
      variables: { AUTH: OLDER, UNRELATED: "canary-5c18-x" },
    });
    await railway.state.addService({ name: "cron", variables: { GATEWAY_KEY: CURRENT } });
    await railway.state.addService({ name: "legacy", variables: { AUTH: THEIRS } });
    writeFileSync(join(sshd.home, "app", ".env"), `AUTH="${OLDER}"\nNAME=x\n`, { mode: 0o600 });
    writeFileSync(join(sshd.home, "app", "env"), `OTHER=1\nCOPY="${CURRENT}"\n`, { mode: 0o600 });

    const ran = await lockstep("discover --json");
    expect(ran.exitCode).toBe(3);
    const { places, unseen } = answerOf("discover", ran.json());
    expect(unseen).toEqual([]);
    const told = places.map(
      ({ name, key, secret, holds, version }) => `${name} ${key}: ${secret} ${holds} ${version}`,
    );
    expect(told.sort()).toEqual([
      "service cron GATEWAY_KEY: AUTH current 2",
      "service legacy AUTH: AUTH unknown null",
      "service worker AUTH: AUTH older 1",
      "~/app/.env AUTH: AUTH older 1",
      "~/app/env COPY: AUTH current 2",
    ]);

    const shown = await lockstep("discover");
    expect(shown.exitCode).toBe(3);
    expect(shown.stdout).toContain("5 places are not managed:");
    const [, lines = ""] = shown.stdout.split("roles are yours to choose:\n");
    const parts = lines
      .trim()
      .split("\n\n")
      .map((part) => parse(part));
    expect(parts).toContainEqual({
      secrets: { AUTH: { bindings: [{ target: "worker", role: "both", key: "AUTH" }] } },
      targets: { worker: { railway: expect.objectContaining({ project: railway.defaults.projectId }) } },
    });
    expect(parts).toContainEqual({
      secrets: { AUTH: { bindings: [{ target: "vps", role: "both", file: "~/app/.env", key: "AUTH" }] } },
      targets: { vps: { files: [{ path: "~/app/.env", format: "dotenv" }] } },
    });
  });

  test("what cannot be seen is said, and hides nothing else", async () => {
    symlinkSync("env", join(sshd.home, "app", ".env.local"));
    const ran = await lockstep("discover --json");
    const { places, unseen } = answerOf("discover", ran.json());
    expect(unseen).toMatchObject([
      { target: "vps", name: "~/app/.env.local", reason: expect.stringContaining("link") },
    ]);
    expect(places.length).toBe(5);
  });

  test("no value shows in an answer, a table or the log", () => {
    for (const value of VALUES) expect(said.join("")).not.toContain(value);
    expect(said.join("")).not.toContain("canary-5c18-x");
  });
});
