/** `lockstep up` as a process of its own, and commands that find it by its data directory alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRAM } from "../support/program-kit.ts";

let directory: string;
let up: ChildProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lockstep-up-"));
  up = start(["up", "--port", "0"]);
  await untilSays(up, "Lockstep is running at");
});
afterAll(async () => {
  if (up.exitCode === null) await ended(up, "SIGKILL");
  // A killed process's Postgres is ended by its guard, and writes until then.
  await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...argv], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: directory,
      LOCKSTEP_DATA: join(directory, "data"),
      ...env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

async function lockstep(argv: readonly string[], stdin = "") {
  const child = start(argv);
  child.stdin?.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([
    text(child.stdout ?? fail()),
    text(child.stderr ?? fail()),
    new Promise((done) => child.once("close", done)),
  ]);
  return { stdout, stderr, exitCode };
}

function untilSays(child: ChildProcess, words: string): Promise<void> {
  return new Promise((done, reject) => {
    let said = "";
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes(words)) done();
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", listen);
    child.once("close", (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((done) => {
    child.once("close", (code) => done(code));
    child.kill(signal);
  });
}

function fail(): never {
  throw new Error("the child has no such stream");
}

test("its data directory and everything in it is private", async () => {
  const data = join(directory, "data");
  expect((await stat(data)).mode & 0o777).toBe(0o700);
  for (const name of ["admin.token", "server.json", "root.key"]) {
    expect(`${name} ${((await stat(join(data, name))).mode & 0o777).toString(8)}`).toBe(`${name} 600`);
  }
});

test("commands find it, and values travel through pipes", async () => {
  const set = await lockstep(["secret", "set", "API_KEY"], "canary-value");
  expect(set).toMatchObject({ exitCode: 0, stderr: "" });
  expect((await lockstep(["secret", "reveal", "API_KEY"])).stdout).toBe("canary-value");
  // Under the key in use already: there is nothing to move.
  expect((await lockstep(["rewrap", "--json"])).stdout).toContain('"left": 0');
});

test("a reader that goes away is never success, and no stack", async () => {
  const child = start(["--help"]);
  child.stdout?.destroy();
  const code = await new Promise((done) => child.once("close", done));
  expect(code).toBe(141);
});

test("a second one on the same data is refused with a remedy", async () => {
  const second = await lockstep(["up", "--port", "0"]);
  expect(second.exitCode).not.toBe(0);
  expect(second.stderr).toMatch(/error \w+: .+\nfix: .+/s);
});

test("a debugger that is asked for is refused", async () => {
  const child = start(["--version"], { NODE_OPTIONS: "--inspect=0" });
  const stderr = text(child.stderr ?? fail());
  expect(await new Promise((done) => child.once("close", done))).toBe(64);
  expect(await stderr).toContain("error SETTING_INVALID");
});

describe("when it is told to end", () => {
  test("it ends well, and nobody takes its address for a living one", async () => {
    expect(await ended(up, "SIGTERM")).toBe(0);
    expect(await readdir(join(directory, "data"))).not.toContain("server.json");
    const status = await lockstep(["status"]);
    expect(status.exitCode).toBe(1);
    expect(status.stderr).toContain("error SERVER_UNREACHABLE");
  });

  test("it keeps what it knew", async () => {
    up = start(["up", "--port", "0"]);
    await untilSays(up, "Lockstep is running at");
    expect((await lockstep(["secret", "reveal", "API_KEY"])).stdout).toBe("canary-value");
  });
});
