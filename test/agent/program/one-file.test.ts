/** The agent's program is one file: it starts in an empty directory, and asks for nothing but Node itself. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAgentProgram } from "../../../src/composition/agent-program-files.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const BUILT = join(ROOT, "dist", "agent-program");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const PLATFORM = `${process.platform}-${process.arch}`;

describe("the agent's program", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "lockstep-one-file-"));
    copyFileSync(join(BUILT, "lockstep-agent.cjs"), join(directory, "lockstep-agent.cjs"));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const run = (...words: readonly string[]) =>
    promisify(execFile)(process.execPath, [join(directory, "lockstep-agent.cjs"), ...words], {
      cwd: directory,
      env: { HOME: directory, LOCKSTEP_AGENT_STATE: join(directory, "state") },
    }).catch((error: { code: number; stdout: string; stderr: string }) => error);

  it("starts alone, with the words of the whole of Lockstep", async () => {
    expect((await run("--version")).stdout).toBe(`${version}\n`);
    const { stdout } = await run("agent", "--help");
    for (const word of ["setup", "enroll", "run", "status", "policy", "install", "uninstall"])
      expect(stdout).toMatch(new RegExp(`^ {2}${word} `, "m"));
    expect(stdout).not.toMatch(/^ {2}(?:invite|list|revoke) /m);
    expect(await run("agent", "status")).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("AGENT_NOT_ENROLLED"),
    });
    expect(await run("secret", "list")).toMatchObject({ code: 64 });
    expect(await run()).toMatchObject({ code: 64, stderr: expect.stringContaining("agent alone") });
  });

  it("asks for Node's own modules alone, and carries nothing of the server", () => {
    const text = readFileSync(join(BUILT, "lockstep-agent.cjs"), "utf8");
    const asked = new Set([...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = ""]) => name));
    const foreign = [...asked].filter((name) => !name.startsWith("node:") && !builtinModules.includes(name));
    expect(foreign).toEqual([]);
    expect(asked.size).toBeGreaterThan(10);
    const SERVERS = [
      "bullmq",
      "fastify",
      "graphql",
      "ioredis",
      "kysely",
      "node-vault",
      "nodemailer",
      "pg",
      "pino",
      "ssh2",
    ];
    expect(SERVERS.filter((name) => text.includes(`node_modules/${name}/`))).toEqual([]);
    expect(text).toContain("node_modules/commander/");
    expect(text.length).toBeLessThan(2_000_000);
  });

  it("is offered by the digest of its bytes", async () => {
    const { offer } = (await readAgentProgram(`${BUILT}/`)) ?? { offer: null };
    const { stdout } = await promisify(execFile)("sha256sum", [join(BUILT, "lockstep-agent.cjs")]);
    expect(offer?.release).toBe(version);
    expect(offer?.files.find(({ runsOn }) => runsOn === "node")?.sha256).toBe(stdout.slice(0, 64));
    expect(await readAgentProgram(`${directory}/none/`)).toBeNull();
  });

  it.runIf(PLATFORM === "linux-x64" || PLATFORM === "linux-arm64")(
    "is one executable for a machine without Node, which says nothing of its own accord",
    async () => {
      const into = join(directory, "executable");
      await promisify(execFile)(join(ROOT, "deploy", "make-agent-executable"), [into]);
      const path = join(into, `lockstep-agent-${PLATFORM}`);
      const start = (...words: readonly string[]) =>
        promisify(execFile)(path, words, {
          cwd: directory,
          env: { HOME: directory, PATH: "/nowhere", LOCKSTEP_AGENT_STATE: join(directory, "state") },
        }).catch((error: { code: number; stdout: string; stderr: string }) => error);
      expect(await start("--version")).toEqual({ stdout: `${version}\n`, stderr: "" });
      expect(await start("agent", "status")).toMatchObject({
        code: 64,
        stderr: expect.stringMatching(/^error AGENT_NOT_ENROLLED/),
      });
      const { stdout } = await promisify(execFile)("sha256sum", [path]);
      const { offer } = (await readAgentProgram(`${into}/`)) ?? { offer: null };
      expect(offer?.files).toEqual([
        { runsOn: PLATFORM, sha256: stdout.slice(0, 64), bytes: statSync(path).size },
      ]);
    },
  );
});
