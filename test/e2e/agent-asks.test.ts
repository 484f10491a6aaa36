/**
 * A verifier that only its own machine can ask: the agent there asks it, when the machine's owner allows that, and a
 * rotation is decided by what the running service answers. The built program, a real agent, a real service.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/simulator/free-port.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const VERIFY = fileURLToPath(new URL("../../dist/sdk/verify.js", import.meta.url));
const SECRET = "INTERNAL_AUTH_SECRET";

/** Follows its file, as services do that need no restart; listens on loopback alone and leaves its counts in a file. */
const SERVICE = `
import { createServer } from "node:http";
import { createVerifier, writeUsageFile } from ${JSON.stringify(VERIFY)};
const [file, port, counts] = process.argv.slice(2);
const verifier = createVerifier({ name: "${SECRET}", source: { file, format: "dotenv" } });
writeUsageFile(verifier, counts, 200);
createServer((request, response) => {
  response.statusCode = verifier.verify(String(request.headers["x-internal-secret"])).accepted ? 200 : 401;
  response.end();
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
`;

describe.skipIf(process.platform !== "linux")("a verifier that only its own machine can ask", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-e2e-asks-"));
  const home = join(directory, "mini");
  const file = join(home, "app", "env");
  const counts = join(home, "usage.json");
  const policyFile = join(home, "policy", "agent-policy.yaml");
  const said: string[] = [];
  const children = new Set<ChildProcess>();
  let servicePort = 0;

  function start(program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: directory,
      env: { PATH: process.env["PATH"], HOME: directory, LOCKSTEP_DATA: join(directory, "data"), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => void said.push(chunk.toString()));
    }
    return child;
  }

  async function lockstep(words: readonly string[], { input = "", env = {} } = {}) {
    const child = start(PROGRAM, words, env);
    child.stdin.end(input);
    const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
    return { code: code as number | null, stdout };
  }
  const json = async (...words: readonly string[]) =>
    JSON.parse((await lockstep([...words, "--json"])).stdout);

  async function reach(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!(await holds())) {
      if (Date.now() > deadline)
        throw new Error(`not reached: ${what}; it said: ${said.join("").slice(-3_000)}`);
      await delay(100);
    }
  }

  const allow = (lines: string): void =>
    writeFileSync(policyFile, `files: ["${file}"]\ncommands: { reload: [/bin/true] }\n${lines}`, {
      mode: 0o600,
    });

  const configure = (question: string): void =>
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  ${SECRET}:
    generate: { random: { bytes: 32, encoding: hex } }
    rotate: { strategy: overlap, settleFor: 1s, quietFor: 1s }
    bindings:
      - target: mini
        role: verifier
        ${question}
targets:
  mini:
    agent: {}
    files: [{ path: "${file}", format: dotenv }]
    activate: { command: reload }
`,
    );

  beforeAll(async () => {
    const agentPort = await freePort();
    servicePort = await freePort();
    mkdirSync(join(home, "app"), { recursive: true, mode: 0o700 });
    mkdirSync(join(home, "policy"), { mode: 0o700 });
    const service = join(directory, "service.mjs");
    writeFileSync(service, SERVICE);
    allow("");
    configure(
      `probe: { http: { url: "http://127.0.0.1:${servicePort}/", headers: { X-Internal-Secret: "{{value}}" }, accepted: [200], refused: [401], from: target, counter: true } }`,
    );
    start(PROGRAM, ["up", "--port", "0", "--agents", `127.0.0.1:${agentPort}`]);
    await reach("the server", () => said.join("").includes("Agents reach it"));
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    const env = {
      HOME: home,
      LOCKSTEP_AGENT_STATE: join(home, "state"),
      LOCKSTEP_AGENT_POLICY: policyFile,
      LOCKSTEP_DATA: join(home, "none"),
    };
    const { stdout: code } = await lockstep(["agent", "invite", "mini"]);
    expect((await lockstep(["agent", "enroll"], { input: code, env })).code).toBe(0);
    start(PROGRAM, ["agent", "run"], env);
    expect((await lockstep(["secret", "generate", SECRET])).code).toBe(0);
    await reach("the file", () => existsSync(file));
    start(service, [file, String(servicePort), counts]);
    await reach("the service", () => said.join("").includes("ready"));
  }, 120_000);

  afterAll(async () => {
    for (const child of [...children]) {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await Promise.race([gone, delay(15_000).then(() => child.kill("SIGKILL"))]);
    }
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  it("holds the rotation until its owner lets the agent ask, and then decides it", async () => {
    const before = readFileSync(file, "utf8");
    expect((await lockstep(["rotate", SECRET])).code).toBe(0);
    const shown = async () => (await lockstep(["rollout", "show", SECRET])).stdout;
    await reach("the reason", async () => (await shown()).includes("policy of its machine does not allow"));
    expect(await shown()).toMatch(/accept/);
    allow(`probes: ["http://127.0.0.1:${servicePort}/"]\n`);
    await reach("the end", async () => (await json("rollout", "show", SECRET)).state === "done");
    const { members } = await json("rollout", "show", SECRET);
    expect(members[0].evidence).toBe("proven");
    expect(readFileSync(file, "utf8")).not.toBe(before);
    expect(readFileSync(file, "utf8")).not.toContain("_FALLBACK");
  }, 120_000);

  it("or tells by its counts which value is in use", async () => {
    allow(`counts: ["${counts}"]\n`);
    configure(`usage: { file: "${counts}" }`);
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    expect((await lockstep(["rotate", SECRET])).code).toBe(0);
    await reach("the end", async () => {
      const { state, settling } = await json("rollout", "show", SECRET);
      if (state === "running" && settling !== null) expect(settling.grade).toBe("observed");
      return state === "done";
    });
    expect(readFileSync(file, "utf8")).not.toContain("_FALLBACK");
  }, 120_000);
});
