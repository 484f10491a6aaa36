/** What is fed to the command line, what answers it, and what becomes of its output: none may hold, fill or fool it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PROGRESS, runCli } from "../support/cli-kit.ts";
import { PROGRAM } from "../support/program-kit.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const directory = mkdtempSync(join(tmpdir(), "lockstep-command-line-"));
const at = (name: string): string => join(directory, name);

/** Stands where Lockstep should, and answers as it likes. */
let answer: Answer = () => undefined;
let asked = 0;
let onAsked: () => void = () => undefined;
const server = createServer((request, response) => {
  asked += 1;
  onAsked();
  answer(request, response);
});
let env: Record<string, string> = {};

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  env = {
    LOCKSTEP_URL: `http://127.0.0.1:${port}`,
    LOCKSTEP_TOKEN: "lsk_00000000_canary0000000000000000",
    LOCKSTEP_DATA: at("data"),
  };
});
beforeEach(() => {
  asked = 0;
  onAsked = () => undefined;
});
const started = new Set<ChildProcess>();
afterAll(async () => {
  // Those of tests that failed: nothing else would end them.
  for (const child of started) child.kill("SIGKILL");
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

const json =
  (document: unknown): Answer =>
  (_request, response) => {
    response.setHeader("content-type", "application/json; charset=utf-8").end(JSON.stringify(document));
  };

const binding = {
  target: "api",
  key: "API_KEY",
  role: "verifier",
  version: 1,
  state: "owed",
  evidence: null,
  observedAt: null,
};
let look = 0;
/** A rollout that never ends, and whose evidence changes with every look. */
const runningRollout: Answer = (request, response) => {
  look += 1;
  const rollout = {
    rollout: "01980a6e-7a53-7c1e-9d3f-2b8f0c6f4a11",
    secret: "API_KEY",
    environment: "production",
    from: 1,
    to: 2,
    state: "running",
    phase: "accept",
    phases: ["accept", "switch"],
    settling: null,
    leftBehind: [],
    bindings: [binding],
    members: [
      { ...binding, primary: 1, fallback: null, evidence: null, waitsFor: `look ${look}`, isMet: false },
    ],
  };
  if (request.url?.includes("/secrets?") || request.url?.endsWith("/secrets"))
    json({ secrets: [{ name: "API_KEY", environment: "production", current: 1 }] })(request, response);
  else json(rollout)(request, response);
};

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...words], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: directory, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  started.add(child);
  const ended = (async (): Promise<Ended> => {
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { code, signal, stdout, stderr } as Ended;
  })();
  return { child, ended };
}

/** One line of a shell; `$L` is Lockstep. Answers the exit code of its first command and what was said. */
async function shell(line: string): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = spawn("bash", ["-c", `${line}; echo "code \${PIPESTATUS[0]}" >&2`], {
    cwd: directory,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: directory,
      ...env,
      L: `${process.execPath} ${PROGRAM}`,
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  started.add(child);
  const said = await text(child.stderr);
  return { code: Number(/code (\d+)\n$/.exec(said)?.[1]), stderr: said };
}

function pipeNamed(name: string): string {
  execFileSync("mkfifo", [at(name)]);
  return at(name);
}

const STACK = /\n\s+at |node:internal|UnhandledPromise/;

describe("output that nobody takes", () => {
  it("ends a rotation that is waited for with 141, not 0, and says that it goes on", async () => {
    answer = runningRollout;
    const { code, stderr } = await shell("$L rotate API_KEY --wait 2>&1 | head -1 >&2");
    expect(code).toBe(141);
    expect(stderr).not.toMatch(STACK);
  });

  it("is told on what is still open", async () => {
    answer = json({
      secrets: [{ name: "API_KEY", environment: "production", current: 1, bindings: [] }],
      setBack: null,
    });
    const { code, stderr } = await shell("$L status --watch --every 1s | head -1");
    expect(code).toBe(141);
    expect(stderr).toContain("nothing reads the answer any more");
    expect(stderr).not.toMatch(STACK);
  });

  it("because the disk is full is a failure, never half an answer with success", async () => {
    answer = json({ secrets: [] });
    const { code, stderr } = await shell("$L secret list --json > /dev/full");
    expect(code).toBe(1);
    expect(stderr).toContain("the disk is full");
    expect(stderr).not.toMatch(STACK);
    const silent = await shell("($L secret list --json > /dev/full 2> /dev/full)");
    expect(silent.code).toBe(1);
  });
});

describe("Ctrl-C", () => {
  it("ends the reading of a pipe that nobody writes to", async () => {
    const path = pipeNamed("silent");
    const { child, ended } = start(["root-key", "check", path]);
    // Opening for writing waits for a reader: from then on the command holds the other end.
    const writer = await open(path, "w");
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, stdout: "" });
    await writer.close();
  });

  it("ends a request that is never answered", async () => {
    answer = () => undefined;
    const { child, ended } = start(["status"]);
    onAsked = () => void child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, stdout: "" });
    expect((await ended).stderr).toContain("error INTERRUPTED");
  });

  it("of a write says that it may have been done", async () => {
    answer = (request, response) => {
      if (request.method === "GET") runningRollout(request, response);
      else child.kill("SIGTERM");
    };
    const { child, ended } = start(["rotate", "API_KEY"]);
    expect(await ended).toMatchObject({ code: 143, stdout: "" });
    expect((await ended).stderr).toContain("the server may still carry out the request");
  });

  it("a second time ends the process, whoever else listens and whatever hangs", async () => {
    const ending = fileURLToPath(new URL("../../dist/edges/cli/ending.js", import.meta.url));
    const script = `
      import { open } from "node:fs";
      import { Ending } from ${JSON.stringify(ending)};
      const held = new Ending(process);
      for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => undefined);
      // A read that hangs in a thread: an orderly exit would wait for it.
      open(${JSON.stringify(pipeNamed("hung"))}, "r", () => undefined);
      setInterval(() => undefined, 1000);
      held.aborted.addEventListener("abort", () => console.log("first"));
      console.log("ready");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    started.add(child);
    child.stdout.on("data", (chunk: Buffer) => {
      if (/ready|first/.test(chunk.toString())) child.kill("SIGTERM");
    });
    expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
  });
});

describe("who answers in Lockstep's place", () => {
  const cases: Record<string, readonly [Answer, string]> = {
    "with a page": [
      (_, response) => response.setHeader("content-type", "text/html").end("<html>\u001b[2Jcanary</html>"),
      "A program other than Lockstep answered (HTTP 200)",
    ],
    "with JSON that calls itself a page": [
      (_, response) => response.setHeader("content-type", "text/html").end('{"secrets":[]}'),
      "A program other than Lockstep answered (HTTP 200)",
    ],
    "with a redirect to itself": [
      (request, response) => response.writeHead(302, { location: request.url ?? "/" }).end(),
      "A program other than Lockstep answered (HTTP 302)",
    ],
    "with half an answer, each time": [
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
        response.write('{"secrets":[', () => response.destroy());
      },
      "no answer",
    ],
    "with JSON that is no document": [json("canary"), "A program other than Lockstep answered (HTTP 200)"],
  };
  it.each(Object.entries(cases))("%s is named as such, and never printed", async (_name, [played, words]) => {
    answer = played;
    const ran = await runCli(["secret", "list"], { env });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("error SERVER_UNREACHABLE");
    expect(ran.stderr).toContain(words);
    expect(ran.stderr).not.toContain("canary");
    expect(ran.stderr).not.toContain("\u001b");
  });

  it("does not follow a redirect, with the token or without", async () => {
    answer = (request, response) => response.writeHead(307, { location: request.url ?? "/" }).end();
    await runCli(["secret", "list"], { env });
    expect(asked).toBe(1);
  });

  it("without an end is cut at a bound, and not asked again", async () => {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    let sent = 0;
    answer = (_, response) => {
      response.setHeader("content-type", "application/json");
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += 1;
      };
      response.on("drain", more);
      more();
    };
    const ran = await runCli(["secret", "list"], { env });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("larger than 64 MiB");
    expect(asked).toBe(1);
    expect(sent).toBeLessThan(200);
  });
});

describe("ruling 18: a name from elsewhere", () => {
  const HOSTILE = "A\u001b]0;title\u0007\u009b2J\u202eevil\u2066\ufeff\u{e0041}";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the very characters that must not arrive
  const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u;

  it("steers no terminal as JSON, and keeps its meaning", async () => {
    const secrets = [{ name: HOSTILE, environment: HOSTILE, current: 1, bindings: [] }];
    answer = json({ secrets, setBack: null });
    const ran = await runCli(["status", "--json"], { env });
    expect(ran.stdout).not.toMatch(STEERING);
    expect(ran.json()).toEqual({ secrets, setBack: null });
    answer = (_, response) =>
      response.writeHead(404, { "content-type": "application/problem+json" }).end(
        JSON.stringify({
          type: "x",
          title: "x",
          status: 404,
          code: "NOT_FOUND",
          detail: HOSTILE,
          hint: HOSTILE,
          details: {},
        }),
      );
    for (const words of [["status", "--json"], ["status"]]) {
      const refused = await runCli(words, { env });
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).not.toMatch(STEERING);
    }
  });

  it("steers no terminal in a table", async () => {
    answer = json({
      secrets: [{ name: HOSTILE, environment: HOSTILE, current: 1, bindings: [] }],
      setBack: null,
    });
    expect((await runCli(["status"], { env })).stdout).not.toMatch(STEERING);
  });
});

describe("a configuration that is no file of its own", () => {
  const cases: Record<string, string> = {
    "/dev/zero": "it is not a regular file",
    "/proc/self/mem": "",
    huge: "it is larger than 1 MiB",
    circle: "it is a link that leads back to itself",
    ".": "it is a directory",
    utf16: "it is not UTF-8 text",
    nul: "it is not UTF-8 text",
  };
  beforeAll(() => {
    writeFileSync(at("huge"), "");
    truncateSync(at("huge"), 5 * 1024 ** 3);
    symlinkSync("circle", at("circle"));
    writeFileSync(at("utf16"), Buffer.from("\ufeffsecrets: {}", "utf16le"));
    writeFileSync(at("nul"), Buffer.from("secrets: {}", "utf16le"));
  });
  it.each(Object.entries(cases))("%s is refused at once", async (name, words) => {
    const ran = await runCli(["plan", "-f", name.startsWith("/") ? name : at(name)], { env });
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain("error CONFIG_UNREADABLE");
    expect(ran.stderr).toContain(words);
    expect(asked).toBe(0);
  });

  it("is read from the standard input, once it is named", async () => {
    answer = json({ changes: [], problems: [], hasChanges: false, digest: "x", notes: [] });
    const ran = await runCli(["plan", "-f", "-", "--json"], { env, stdin: "secrets:\n  A: {}\n" });
    expect([ran.exitCode, ran.stderr.replaceAll(PROGRESS, "")]).toEqual([0, ""]);
    const bounded = await runCli(["plan", "-f", "-"], { env, stdin: "#".repeat(1024 * 1024 + 1) });
    expect(bounded.stderr).toContain("it is larger than 1 MiB");
  });

  it("with a reference to a device names the line", async () => {
    writeFileSync(
      at("device.yaml"),
      "targets:\n  web:\n    ssh: { host: h, user: u, privateKey: '${file:/dev/zero}' }\n",
    );
    const ran = await runCli(["plan", "--ask-new", "-f", at("device.yaml")], { env });
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain("which is not a regular file");
  });
});

describe("a setting's file", () => {
  it.each(["LOCKSTEP_TOKEN_FILE"])("%s that is a device is refused by name", async (name) => {
    const { LOCKSTEP_TOKEN: _, ...rest } = env;
    const ran = await runCli(["status"], { env: { ...rest, [name]: "/dev/zero" } });
    expect(ran.exitCode).toBe(64);
    expect(ran.stderr).toContain(`${name} cannot be trusted: others than its owner may write /dev/zero`);
  });
});
