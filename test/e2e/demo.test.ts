/**
 * `lockstep demo` as a newcomer runs it: the built program, nothing prepared. It must end well, show no value, and
 * leave no process and no file behind, however it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UNBUNDLED } from "../support/built-program.ts";
import { PROGRAM } from "../support/program-kit.ts";
import { findServer, lacks } from "../support/servers.ts";

const TIMEOUT_MS = 120_000;
const CHAPTERS = ["setup", "outage", "diagnosis", "repair", "rotation", "record", "clean-up"];

let temporary: string;
/** Every value that was seen in a variable file or a process of the demo while it ran. */
let values: Set<string>;

beforeEach(() => {
  temporary = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-demo-test-")));
  values = new Set();
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

function start(words: readonly string[], program = PROGRAM): ChildProcess {
  return spawn(process.execPath, [program, "demo", ...words], {
    cwd: temporary,
    // What belongs to a user must not be touched: a server that is not there would be asked otherwise.
    env: {
      PATH: `/usr/local/bin:/usr/bin:/bin:${findServer("sshd")?.replace(/\/sshd$/, "") ?? ""}`,
      HOME: temporary,
      TMPDIR: temporary,
      LOCKSTEP_URL: "http://127.0.0.1:9",
      LOCKSTEP_TOKEN: "lsk_nobody_nothing",
      DATABASE_URL: "postgres://127.0.0.1:9/none",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function run(words: readonly string[], program: string) {
  const child = start(words, program);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const watching = setInterval(collectValues, 100);
  const [code] = await once(child, "close");
  clearInterval(watching);
  return { code, stdout, stderr };
}

/** From the environments of the demo's processes, which carry the test's directory in a variable of theirs. */
function collectValues(): void {
  for (const pid of pids()) {
    const value = /(?:^|\0)INTERNAL_AUTH_SECRET=([^\0]+)/.exec(textOf(`/proc/${pid}/environ`))?.[1];
    if (value !== undefined && textOf(`/proc/${pid}/environ`).includes(temporary)) values.add(value);
  }
  for (const path of filesNow()) {
    if (!path.endsWith("/worker/env")) continue;
    const value = /INTERNAL_AUTH_SECRET=['"]?([^'"\n]+)/.exec(textOf(join(temporary, path)))?.[1];
    if (value !== undefined) values.add(value);
  }
}

/** None where a directory vanishes while it is read: the next look comes soon. */
function filesNow(): readonly string[] {
  try {
    return readdirSync(temporary, { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}

/** Whatever was started for the demo names its directory, in its arguments or its environment. */
function processesLeft(): readonly string[] {
  return pids()
    .filter((pid) => Number(pid) !== process.pid)
    .map((pid) => `${textOf(`/proc/${pid}/cmdline`)}\0${textOf(`/proc/${pid}/environ`)}`)
    .filter((text) => text.includes(temporary))
    .map((text) => text.replaceAll("\0", " ").slice(0, 300));
}

const pids = (): readonly string[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name));

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function expectNothingLeft(patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  const left = () => [...processesLeft(), ...readdirSync(temporary)];
  while (left().length > 0 && Date.now() < deadline) await delay(50);
  expect(left()).toEqual([]);
}

describe.skipIf(process.platform !== "linux")("lockstep demo", () => {
  it.each([
    ["openssh", [], PROGRAM],
    // As it was built and nothing else, once: everything else here runs it in a few files.
    ["stand-in", ["--stand-in"], UNBUNDLED],
  ] as const)(
    "tells the whole story with %s, and leaves nothing behind",
    async (server, words, program) => {
      if (server === "openssh" && lacks("sshd")) return;
      const { code, stdout, stderr } = await run(["--json", "--fast", ...words], program);
      expect(`${code} ${stderr}`).toMatch(/^0 /);
      const result = JSON.parse(stdout);
      expect(result).toMatchObject({ ok: true, failure: null, sshServer: server, leftOver: 0 });
      expect(result.steps.map(({ name }: { name: string }) => name)).toEqual(CHAPTERS);
      expect(result.refusedBefore).toBeGreaterThan(0);
      expect(result.command).toMatch(/^lockstep /);
      expect(stderr).toContain(`$ ${result.command}`);
      await expectNothingLeft(2_000);

      // Three values at least: the first, the one by hand, the rotation's.
      expect(values.size).toBeGreaterThanOrEqual(3);
      expect([...values].filter((value) => `${stdout}${stderr}`.includes(value))).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it.each([
    ["SIGINT", /import INTERNAL_AUTH_SECRET/, 1],
    ["SIGTERM", /rotate INTERNAL_AUTH_SECRET/, 1],
    ["SIGKILL", /import INTERNAL_AUTH_SECRET/, null],
  ] as const)(
    "%s in the middle leaves nothing behind",
    async (signal, moment, expected) => {
      const child = start(["--fast", "--stand-in"]);
      child.stderr?.resume();
      if (child.stdout === null) throw new Error("it has no output");
      const lines = createInterface({ input: child.stdout });
      const seen = new Promise<void>((resolve) => {
        lines.on("line", (line) => moment.test(line) && resolve());
      });
      await seen;
      expect(statSync(temporary).isDirectory() && readdirSync(temporary).length).toBe(1);
      expect(processesLeft().length).toBeGreaterThan(3);
      const closed = once(child, "exit");
      child.kill(signal);
      expect((await closed)[0]).toBe(expected);
      await expectNothingLeft(20_000);
    },
    TIMEOUT_MS,
  );
});
