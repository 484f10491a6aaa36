import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { exposuresOf, framesOf } from "../../src/adapters/telemetry/hardening.ts";
import { childProgram } from "../support/child-program.ts";

const BEFORE_ALL = join(import.meta.dirname, "../../src/adapters/telemetry/before-all.ts");

/** Runs `script` in a process that was hardened first. */
async function start(script: string, env: Record<string, string> = {}, options: readonly string[] = []) {
  const source = `await import(${JSON.stringify(await childProgram(BEFORE_ALL))}); ${script}`;
  const child = spawn(process.execPath, [...options, "--input-type=module", "-e", source], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { stdout, stderr, code: code as number | null };
}

describe("a start that would expose values", () => {
  it.each([
    ["an inspector", ["--inspect-brk=0"], {}, ["--inspect-brk"]],
    ["an inspector with another spelling", ["--inspect_port=1"], {}, ["--inspect-port"]],
    [
      "snapshots by variable",
      [],
      { NODE_OPTIONS: "--a=1 --heapsnapshot-signal=SIGUSR2" },
      ["--heapsnapshot-signal"],
    ],
    ["an option in quotes", [], { NODE_OPTIONS: '"--inspect=0"' }, ["--inspect"]],
    ["an option with a backslash", [], { NODE_OPTIONS: '"--ins\\pect=0"' }, ["--inspect"]],
    ["a core dump", ["--abort_on_uncaught_exception"], {}, ["--abort-on-uncaught-exception"]],
    ["a report", ["--report-on-signal"], {}, ["--report-on-signal"]],
    ["session keys", ["--tls-keylog=/tmp/x"], {}, ["--tls-keylog"]],
    ["Node's debug log", [], { NODE_DEBUG: "http" }, ["NODE_DEBUG"]],
    ["no certificate checks", [], { NODE_TLS_REJECT_UNAUTHORIZED: "0" }, ["NODE_TLS_REJECT_UNAUTHORIZED=0"]],
    ["nothing", ["--import", "tsx"], { NODE_OPTIONS: " --enable-source-maps ", NODE_DEBUG: "" }, []],
  ])("is recognised: %s", (_what, execArgv, env, exposures) => {
    expect(exposuresOf({ execArgv, env })).toEqual(exposures);
  });

  it.each([
    [{ NODE_OPTIONS: "--heapsnapshot-signal=SIGUSR2" }, "--heapsnapshot-signal"],
    [{ NODE_DEBUG: "http" }, "NODE_DEBUG"],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, "NODE_TLS_REJECT_UNAUTHORIZED=0"],
  ])("with %j ends with exit code 64 before anything else runs", async (env, named) => {
    const { code, stdout, stderr } = await start("process.stdout.write('ran')", env);
    expect({ code, stdout }).toEqual({ code: 64, stdout: "" });
    expect(stderr).toContain(`Cannot start with ${named}:`);
  });

  it("would indeed have been one: NODE_DEBUG prints requests although it is deleted first", async () => {
    const child = spawn(
      process.execPath,
      [
        "-e",
        `delete process.env.NODE_DEBUG;
         const server = require("node:http").createServer((_, answer) => answer.end()).listen(0, "127.0.0.1", () => {
           const { port } = server.address();
           require("node:http").get({ host: "127.0.0.1", port, headers: { x: "canary-4f" } }, (answer) => {
             answer.resume().on("end", () => server.close());
           });
         });`,
      ],
      { env: { PATH: process.env["PATH"], NODE_DEBUG: "http" }, stdio: ["ignore", "ignore", "pipe"] },
    );
    // Node 20 prints the headers too.
    expect(await text(child.stderr)).toMatch(/^HTTP \d+: /m);
  });
});

describe("a hardened process", () => {
  it("drops DEBUG before a library can read it", async () => {
    const { stdout } = await start("process.stdout.write(String(process.env.DEBUG))", { DEBUG: "*" });
    expect(stdout).toBe("undefined");
  });

  it.each([
    [
      "throws",
      `setImmediate(() => { throw Object.assign(new Error("canary-1\\n    at canary-2"), { body: "canary-3" }) });`,
    ],
    [
      "rejects",
      `Promise.reject(Object.assign(new TypeError("canary-1"), { cause: new Error("canary-2") }));`,
    ],
    ["throws text", `setImmediate(() => { throw "canary-1" });`],
  ])(
    "says of an error that nobody caught only where it happened, when something %s",
    async (_how, script) => {
      const { code, stderr } = await start(`${script} await new Promise((go) => setTimeout(go, 5_000));`);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error INTERNAL: Lockstep stopped at an unexpected failure\./);
      expect(stderr).not.toContain("canary");
    },
  );

  it("names the place of a failure, whatever its message looks like", () => {
    const failure = new Error("    at canary (x:1:1)\n    at canary");
    expect(framesOf(failure).join("\n")).toContain("hardening.test.ts");
    expect(framesOf(failure).join("\n")).not.toContain("canary");
    expect(framesOf(new Error("").message)).toEqual([]);
    expect(framesOf(new Error("")).length).toBeGreaterThan(0);
    // A message that was changed afterwards stands in the stack as it was.
    const changed = new Error("    at canary-old");
    changed.message = "new";
    expect(framesOf(changed).join("\n")).not.toContain("canary-old");
  });

  it("opens no inspector on SIGUSR1, unlike one that is not", async () => {
    const provoke = `
      process.kill(process.pid, "SIGUSR1");
      const { url } = await import("node:inspector");
      for (let turn = 0; turn < 50 && url() === undefined; turn += 1) await new Promise((go) => setTimeout(go, 10));
      process.stdout.write(String(url()));`;
    expect((await start(provoke)).stdout).toBe("undefined");
    const control = spawn(process.execPath, ["--input-type=module", "--inspect-port=0", "-e", provoke], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(await text(control.stdout)).toMatch(/^ws:/);
  });
});
