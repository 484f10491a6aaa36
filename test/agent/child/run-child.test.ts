import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SecretValue } from "../../../src/core/secret-value.ts";
import {
  type ChildReport,
  type ChildValues,
  pidOneRemark,
  type RunChildOptions,
  runChild,
  type SupervisedChild,
} from "../../../src/edges/agent/child/run-child.ts";
import { childEnvironment } from "../../../src/lib/child-environment.ts";
import { lifeOfProcess, startTicks } from "../../../src/lib/process-life.ts";
import { childProgram } from "../../support/child-program.ts";

let home: string;
let open: SupervisedChild[] = [];
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-child-")));
});
afterEach(async () => {
  for (const child of open) child.signal("SIGKILL");
  await Promise.all(open.map(({ ended }) => ended));
  open = [];
  rmSync(home, { recursive: true });
});

const values = (digest: string, more: Record<string, string> = {}): ChildValues => ({
  digest,
  variables: new Map(
    Object.entries({ TOKEN: `canary-${digest}`, ...more }).map(([key, value]) => [
      key,
      SecretValue.of(value),
    ]),
  ),
});

/** A program of ours: JavaScript that gets its directory as `home`. */
function start(source: string, options: Partial<RunChildOptions> = {}) {
  const reports: ChildReport[] = [];
  const file = join(home, "program.mjs");
  writeFileSync(file, `import fs from "node:fs"; const home = ${JSON.stringify(home)};\n${source}`);
  const child = runChild({
    argv: [process.execPath, file],
    values: values("v1"),
    baseEnvironment: childEnvironment(process.env),
    startWindowMs: 30,
    minBackoffMs: 10,
    forwardSignals: false,
    onReport: (report) => reports.push(report),
    ...options,
  });
  open.push(child);
  const seen = (state: ChildReport["state"], digest: string) =>
    expect
      .poll(() => reports.some((one) => one.state === state && one.digest === digest), { timeout: 10_000 })
      .toBe(true);
  return { child, reports, seen };
}

const text = (name: string): string =>
  existsSync(join(home, name)) ? readFileSync(join(home, name), "utf8") : "";
const holds = (name: string, part: string) =>
  expect.poll(() => text(name), { timeout: 10_000 }).toContain(part);
const KEEPS = "setInterval(() => 0, 1e6);";
const LOGS = 'fs.appendFileSync(home + "/log", process.env.TOKEN + " " + process.pid + "\\n");';

describe("the program of `lockstep run`", () => {
  it("gets its values in its environment alone, and nothing of ours besides what was passed on", async () => {
    const { child, reports } = start(
      'fs.writeFileSync(home + "/env", JSON.stringify([process.env, process.argv])); process.exit(0);',
      { baseEnvironment: { PATH: "/usr/bin:/bin" }, values: values("v1", { MULTI: "a\n'b\" $c é" }) },
    );
    expect(await child.ended).toBe(0);
    const [env, argv] = JSON.parse(text("env")) as [Record<string, string>, string[]];
    expect(env).toEqual({ PATH: "/usr/bin:/bin", TOKEN: "canary-v1", MULTI: "a\n'b\" $c é" });
    expect(JSON.stringify([argv, reports])).not.toContain("canary");
  });

  it("is started anew when values change, and the two never overlap", async () => {
    const { child, seen, reports } = start(
      `fs.mkdirSync(home + "/only"); ${LOGS}
       process.on("SIGTERM", () => setTimeout(() => { fs.rmdirSync(home + "/only"); process.exit(0); }, 30)); ${KEEPS}`,
      { startWindowMs: 200 },
    );
    await seen("running", "v1");
    await holds("log", "canary-v1");
    for (const digest of ["v2", "v3", "v4"]) child.change(values(digest));
    await seen("running", "v4");
    await holds("log", "canary-v4");
    expect(text("log")).not.toContain("canary-v3");
    const pid = Number(/canary-v4 (\d+)/.exec(text("log"))?.[1]);
    const { incarnation } = reports.at(-1) ?? {};
    expect(incarnation).toEqual(await lifeOfProcess(pid));
    expect(child.current()).toMatchObject({ state: "running", digest: "v4", incarnation: { pid } });
  });

  it("that does not end in time is killed", async () => {
    const { child, seen } = start(`process.on("SIGTERM", () => 0); ${LOGS} ${KEEPS}`, {
      stopTimeoutMs: 100,
      startWindowMs: 300,
    });
    await seen("running", "v1");
    child.change(values("v2"));
    await seen("running", "v2");
  });

  it("ends with what it started itself", async () => {
    const { child, seen } = start(
      `import { spawn } from "node:child_process";
       const helper = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => 0); setInterval(() => 0, 1e6)"], { stdio: "ignore" });
       fs.writeFileSync(home + "/helper", helper.pid + "\\n"); ${KEEPS}`,
      { startWindowMs: 300 },
    );
    await seen("running", "v1");
    await holds("helper", "\n");
    const helper = Number(text("helper"));
    child.signal("SIGTERM");
    expect(await child.ended).toBe(143);
    await expect.poll(() => lives(helper)).toBe(false);
  });

  it("that fails with the new values is reported, tried again, and runs when they are put right", async () => {
    const { child, seen, reports } = start(
      `if (process.env.TOKEN === "canary-bad") process.exit(3); ${LOGS} ${KEEPS}`,
      {
        startWindowMs: 400,
      },
    );
    await seen("running", "v1");
    child.change(values("bad"));
    await seen("failed", "bad");
    const failed = reports.find(({ state }) => state === "failed");
    expect(failed).toMatchObject({
      incarnation: null,
      reason: expect.stringContaining("exit code 3") as string,
    });
    child.change(values("v2"));
    await seen("running", "v2");
  });

  it("gives us its exit code, or 128 and the signal's number", async () => {
    expect(await start("process.exit(7)").child.ended).toBe(7);
    expect(await start("process.kill(process.pid, 'SIGKILL'); setInterval(() => 0, 1e6)").child.ended).toBe(
      137,
    );
  });

  it("that cannot be executed is 127 or 126, as shells say it", async () => {
    expect(await start("", { argv: [join(home, "missing")] }).child.ended).toBe(127);
    expect(await start("", { argv: [home] }).child.ended).toBe(126);
    expect(await start("", { values: values("v1", { NUL: "a\0b" }) }).child.ended).toBe(126);
  });

  it("is told by a signal where it reads again, and is not said to hold the new values", async () => {
    const { child, seen } = start(
      `process.on("SIGHUP", () => fs.writeFileSync(home + "/heard", "yes")); fs.writeFileSync(home + "/up", "up"); ${KEEPS}`,
      { onChange: { signal: "SIGHUP" } },
    );
    await holds("up", "up");
    await seen("running", "v1");
    child.change(values("v2"));
    await holds("heard", "yes");
    expect(child.current()).toMatchObject({ state: "kept", digest: "v1" });
  });
});

describe("our own process", () => {
  const driver = join(import.meta.dirname, "driver.ts");
  const run = async (...argv: readonly string[]) =>
    spawn(process.execPath, [await childProgram(driver), ...argv], { stdio: ["pipe", "pipe", "pipe"] });

  it.each<[NodeJS.Signals, number]>([
    ["SIGTERM", 11],
    ["SIGINT", 12],
    ["SIGHUP", 13],
    ["SIGUSR1", 14],
    ["SIGUSR2", 15],
    ["SIGQUIT", 16],
  ])("passes %s on, and ends with the program's code", async (signal, code) => {
    const source = `process.on("${signal}", () => process.exit(${code})); console.log("ready"); setInterval(() => 0, 1e6)`;
    const ours = await run(process.execPath, "-e", source);
    ours.stdout.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("ready")) ours.kill(signal);
    });
    expect(await new Promise((resolve) => ours.once("exit", resolve))).toBe(code);
  });

  it("gives the program its own stdin and stdout, and shows no value itself", async () => {
    const ours = await run("/bin/sh", "-c", 'read -r line; printf "%s %s" "$line" "${#TOKEN}"');
    let out = "";
    let err = "";
    ours.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    ours.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    ours.stdin.end("hello\n");
    expect(await new Promise((resolve) => ours.once("close", resolve))).toBe(0);
    expect(out).toBe(`hello ${"canary-1".length}`);
    expect(err).toContain('"digest":"v1"');
    expect(err).not.toContain("canary");
  });
});

it("a process's start is found behind a name with blanks and parentheses", () => {
  const fields = Array.from({ length: 49 }, (_, index) => String(index + 4));
  expect(startTicks(`123 (a) b (c) S ${fields.join(" ")}`)).toBe(22);
  expect(startTicks("123 (x) S")).toBeNull();
});

it("a process that has ended has no life", async () => {
  expect(await lifeOfProcess(2 ** 22 + 1)).toBeNull();
});

it("process 1 is told what it cannot do", () => {
  expect(pidOneRemark(1)).toContain("--init");
  expect(pidOneRemark(2)).toBeNull();
});

/** A zombie does not run any more. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
