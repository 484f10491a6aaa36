/**
 * Machines that nobody can dial, as their owners run them: the built program, a server, an agent with a file and a
 * command, a program under `lockstep run`, and a container's short-lived one. A value goes all the way, the server dies
 * and comes back, and the value shows nowhere but at its destinations.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseEnrolmentCode } from "../../src/protocol/agent/enrolment-code.ts";
import { freePort } from "../../src/simulator/free-port.ts";
import { watchCommandLines } from "../support/command-lines.ts";
import { lookAt, PROGRAM } from "../support/program-kit.ts";

const VALUES = ["canary-e2e-agent-one", "canary-e2e-agent-two", "canary-e2e-agent-three"] as const;
const SECRET = "INTERNAL_AUTH_SECRET";
/** Tells which value it was started with, without showing it, and stays. */
const SERVICE = `
const digest = require("node:crypto").createHash("sha256").update(process.env.${SECRET} ?? "").digest("hex");
require("node:fs").appendFileSync(process.argv[1], process.pid + " " + digest + "\\n");
process.on("SIGTERM", () => process.exit(0));
setInterval(() => undefined, 1000);
`;

const digestOf = (value: string): string => createHash("sha256").update(value).digest("hex");

describe.skipIf(process.platform !== "linux")("machines with an agent", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-e2e-agent-"));
  const data = join(directory, "data");
  const homes = { mini: join(directory, "mini"), web: join(directory, "web"), jobs: join(directory, "jobs") };
  const said: string[] = [];
  const children = new Set<ChildProcess>();
  let agentPort = 0;
  let commandLines: ReturnType<typeof watchCommandLines>;
  let server: ChildProcess;
  let web: ChildProcess;
  let mini: ChildProcess;
  let jobs: ChildProcess;

  function start(
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    program: readonly [string, ...string[]] = [process.execPath, PROGRAM],
  ): ChildProcess {
    const [first, ...more] = program;
    const child = spawn(first, [...more, ...words], {
      cwd: directory,
      env: { PATH: process.env["PATH"], HOME: directory, LOCKSTEP_DATA: data, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => void said.push(chunk.toString()));
    }
    return child;
  }

  async function lockstep(words: readonly string[], { input = "", env = {} } = {}) {
    const child = start(words, env);
    child.stdin?.end(input);
    const [stdout, [code]] = await Promise.all([
      text(child.stdout as NodeJS.ReadableStream),
      once(child, "close"),
    ]);
    return { code, stdout };
  }
  const json = async (...words: readonly string[]) =>
    JSON.parse((await lockstep([...words, "--json"])).stdout);

  async function startServer(): Promise<void> {
    const before = said.length;
    server = start(["up", "--port", "0", "--agents", `127.0.0.1:${agentPort}`]);
    await reach("the server", () => said.slice(before).join("").includes("Agents reach it"));
  }

  async function reach(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!(await holds())) {
      if (Date.now() > deadline)
        throw new Error(`not reached: ${what}; it said: ${said.join("").slice(-3_000)}`);
      await delay(20);
    }
  }

  /** What a service was started with, one line per start. */
  const starts = (name: "web" | "jobs") => {
    const file = join(homes[name], "starts");
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    return lines.map((line) => ({ pid: Number(line.split(" ")[0]), digest: line.split(" ")[1] }));
  };
  const runs = (name: "web" | "jobs", value: string) => starts(name).at(-1)?.digest === digestOf(value);
  const onHost = (name: keyof typeof homes) => ({
    HOME: homes[name],
    LOCKSTEP_AGENT_STATE: join(homes[name], "state"),
    LOCKSTEP_AGENT_POLICY: join(homes[name], "policy", "agent-policy.yaml"),
    LOCKSTEP_AGENT_PROGRAM: join(homes[name], "program"),
    LOCKSTEP_DATA: join(homes[name], "none"),
  });
  const service = (name: "web" | "jobs") => [process.execPath, "-e", SERVICE, join(homes[name], "starts")];

  async function evidence(): Promise<Record<string, string>> {
    const looked = await lookAt(data, ["status", "--json"]);
    said.push(looked.stdout, looked.stderr);
    const { secrets } = looked.json() as {
      readonly secrets: readonly [
        {
          readonly bindings: readonly Readonly<Record<"target" | "version" | "evidence" | "state", string>>[];
        },
      ];
    };
    return Object.fromEntries(
      secrets[0].bindings.map((one) => [one.target, `v${one.version} ${one.state} ${one.evidence}`]),
    );
  }

  /** A new value, and where it has come to. */
  async function set(value: string, expected: Readonly<Record<string, string>>): Promise<void> {
    expect((await lockstep(["secret", "set", SECRET], { input: value })).code).toBe(0);
    let last: unknown = null;
    const deadline = Date.now() + 60_000;
    do {
      await delay(200);
      last = await evidence();
    } while (!isDeepStrictEqual(last, expected) && Date.now() < deadline);
    expect(last).toEqual(expected);
  }

  async function enroll(name: "web"): Promise<void> {
    const { stdout: code } = await lockstep(["agent", "invite", name]);
    expect((await lockstep(["agent", "enroll"], { input: code, env: onHost(name) })).code).toBe(0);
  }

  /** The agent's program of a machine that has Node and nothing of Lockstep. */
  const kept = (): readonly [string] => [join(homes.mini, "program", "lockstep")];

  /** As a person pastes it, on a machine without a supervisor. Answers how it ended. */
  async function paste(line: string, code: string): Promise<unknown> {
    const shell = start(["-c", line.replace(/ agent setup;/, " agent setup --no-service;")], onHost("mini"), [
      "/bin/sh",
    ]);
    shell.stdin?.end(code);
    return (await once(shell, "close"))[0];
  }

  beforeAll(async () => {
    agentPort = await freePort();
    for (const home of Object.values(homes))
      mkdirSync(join(home, "policy"), { recursive: true, mode: 0o700 });
    mkdirSync(join(homes.mini, "app"), { mode: 0o700 });
    writeFileSync(join(homes.mini, "app", "env"), "THEIRS=kept\n", { mode: 0o600 });
    writeFileSync(
      join(homes.mini, "policy", "agent-policy.yaml"),
      `files: ["~/app/env"]\ncommands: { restart-app: ["/bin/cp", "${homes.mini}/app/env", "${homes.mini}/app/running"], look: ["/usr/bin/test", "-s", "${homes.mini}/app/running"] }\n`,
      { mode: 0o600 },
    );
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  ${SECRET}:
    generate: { random: { bytes: 32, encoding: hex } }
    bindings:
      - { target: mini, role: verifier }
      - { target: web, role: caller }
      - { target: jobs, role: caller }
targets:
  mini:
    agent: {}
    files: [{ path: "~/app/env", format: dotenv }]
    activate: { command: restart-app }
    health: { command: look }
  web: { agent: {} }
  jobs: { agent: { shortLived: true } }
`,
    );
    await startServer();
    commandLines = watchCommandLines();
  }, 60_000);

  afterAll(async () => {
    commandLines.stop();
    for (const child of [...children]) {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([gone, delay(15_000).then(() => child.kill("SIGKILL"))]);
    }
    for (const { pid } of [...starts("web"), ...starts("jobs")]) endProcess(pid);
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  it("a machine with Node alone becomes an agent by one line, and runs nothing but what the line names", async () => {
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    const { code, lines } = await json("agent", "invite", "mini");
    const line: string = lines.find(({ runsOn }: { runsOn: string }) => runsOn === "node").line;
    const { random } = parseEnrolmentCode(code) ?? { random: "none" };
    expect([line.includes(code), line.includes(random)]).toEqual([false, false]);
    // Another file, another address, another server: each stops before anything of it runs.
    const other = "0".repeat(64);
    const [sha256 = ""] = /[0-9a-f]{64}/.exec(line) ?? [];
    const wrong = [
      line.replace(`echo "${sha256}`, `echo "${other}`),
      line.replaceAll(sha256, other),
      line.replace(/sha256\/\/.{8}/, "sha256//AAAAAAAA"),
    ];
    for (const one of wrong) expect(await paste(one, code)).toBeGreaterThan(0);
    expect(existsSync(join(homes.mini, "state"))).toBe(false);
    expect(await paste(line, code)).toBe(0);
    expect(existsSync(join(homes.mini, "state", "identity.json"))).toBe(true);
    expect(readdirSync(homes.mini).filter((name) => name.startsWith(".lockstep-"))).toEqual([]);
    expect(readdirSync(join(homes.mini, "program")).sort()).toEqual(["lockstep", "lockstep-agent.cjs"]);
  }, 60_000);

  it("fetches, writes, restarts, and each place gives its best evidence", async () => {
    mini = start(["agent", "run"], onHost("mini"), kept());
    await enroll("web");
    const early = start(["run", "--", ...service("web")], onHost("web"));
    const earlyEnd = once(early, "exit");
    await reach("the wait for a value", () => said.join("").includes("no value yet"));
    early.kill("SIGTERM");
    expect((await earlyEnd)[0]).toBe(143);
    expect(starts("web")).toEqual([]);
    web = start(["run", "--", ...service("web")], onHost("web"));
    const code = join(homes.jobs, "code");
    const invited = await lockstep(["agent", "invite", "jobs", "--reusable"]);
    writeFileSync(code, invited.stdout, { mode: 0o600 });
    jobs = start(["run", "--", ...service("jobs")], { ...onHost("jobs"), LOCKSTEP_ENROLMENT_FILE: code });

    await set(VALUES[0], {
      mini: "v1 in-sync deployed",
      web: "v1 in-sync running",
      jobs: "v1 in-sync running",
    });
    expect(readFileSync(join(homes.mini, "app", "env"), "utf8")).toContain("THEIRS=kept\n");
    expect(readFileSync(join(homes.mini, "app", "running"), "utf8")).toContain(VALUES[0]);
    expect([runs("web", VALUES[0]), runs("jobs", VALUES[0])]).toEqual([true, true]);
    expect(statSync(join(homes.jobs, "state"), { throwIfNoEntry: false })).toBeUndefined();
  }, 120_000);

  it("a change restarts each once, and is proven everywhere", async () => {
    await set(VALUES[1], {
      mini: "v2 in-sync deployed",
      web: "v2 in-sync running",
      jobs: "v2 in-sync running",
    });
    expect([starts("web").length, starts("jobs").length]).toEqual([2, 2]);
    const { pushes } = await json("history", "--limit", "3");
    expect(pushes.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      "succeeded",
      "succeeded",
      "succeeded",
    ]);
    expect((await lockstep(["check"])).code).toBe(0);
    expect((await lockstep(["agent", "status"], { env: onHost("mini") })).code).toBe(0);
  }, 60_000);

  it("with the server away a service starts from the sealed cache, and goes on when the server is back", async () => {
    const gone = [server, web, mini].map((child) => once(child, "exit"));
    for (const child of [server, web, mini]) child.kill("SIGKILL");
    await Promise.all(gone);
    for (const { pid } of starts("web")) endProcess(pid);
    const before = starts("web").length;

    web = start(["run", "--", ...service("web")], onHost("web"));
    mini = start(["agent", "run"], onHost("mini"), kept());
    await reach("the service", () => starts("web").length > before);
    expect(runs("web", VALUES[1])).toBe(true);
    expect((await lockstep(["agent", "status"], { env: onHost("mini") })).code).toBe(4);

    await startServer();
    await set(VALUES[2], {
      mini: "v3 in-sync deployed",
      web: "v3 in-sync running",
      jobs: "v3 in-sync running",
    });
  }, 180_000);

  it("the machine's owner sees what is allowed, and the service that would be installed", async () => {
    const policy = await lockstep(["agent", "policy"], { env: onHost("mini") });
    expect(policy).toMatchObject({ code: 0, stdout: expect.stringContaining('files: ["~/app/env"]') });
    const printed = await lockstep(["agent", "install", "--print"], { env: onHost("mini") });
    expect(printed.code).toBe(0);
    expect(printed.stdout).toContain(`agent run --state ${join(homes.mini, "state")}`);
    expect(printed.stdout).toContain("NoNewPrivileges=yes");
    expect(printed.stdout).not.toContain("lse_");
    const nobody = await lockstep(["agent", "status"], { env: { ...onHost("jobs") } });
    expect(nobody.code).toBe(64);
  }, 60_000);

  it("revoking tells what was received; the service keeps what it has", async () => {
    const { agents } = await json("agent", "revoke", "web");
    expect(agents).toMatchObject([{ received: [{ version: 1 }, { version: 2 }, { version: 3 }] }]);
    await reach("the agent to hear of it", () => said.join("").includes("AGENT_REVOKED"));
    expect(runs("web", VALUES[2])).toBe(true);
    expect(web.exitCode).toBeNull();
  }, 60_000);

  it("a program's end is its own: exit code and signal pass through", async () => {
    const ended = once(jobs, "exit");
    jobs.kill("SIGTERM");
    expect((await ended)[0]).toBe(0);
  }, 60_000);

  it("no value stands in a cache, a log, an answer, an argument, or in the data directory", () => {
    const texts = [said.join(""), [...commandLines.seen].join("\n")];
    for (const root of [data, ...Object.values(homes)]) {
      for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
        const path = join(root, name);
        if (path.startsWith(join(homes.mini, "app")) || !statSync(path, { throwIfNoEntry: false })?.isFile())
          continue;
        texts.push(readFileSync(path, "latin1"));
      }
    }
    expect(texts.length).toBeGreaterThan(100);
    for (const value of VALUES) expect(texts.some((one) => one.includes(value))).toBe(false);
  });
});

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended already.
  }
}
