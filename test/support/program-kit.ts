/** The built program as people run it, in a directory of its own: commands, a server, an agent on a machine of its own. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../src/simulator/free-port.ts";
import { builtProgram } from "./built-program.ts";
import { type Ran, runCli } from "./cli-kit.ts";

export const PROGRAM = await builtProgram();
const REACHED_WITHIN_MS = 90_000;
const ENDS_WITHIN_MS = 15_000;

type Env = Readonly<Record<string, string>>;

export interface ProgramKit {
  readonly directory: string;
  /** All that processes which stay have said, and commands too. */
  said(): string;
  /** Stays until `stop`. `program`: a script in place of Lockstep. */
  start(words: readonly string[], options?: { readonly env?: Env; readonly program?: string }): ChildProcess;
  lockstep(
    words: readonly string[],
    options?: { readonly input?: string; readonly env?: Env },
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  // biome-ignore lint/suspicious/noExplicitAny: what a command prints is the very thing that tests look into
  json(...words: readonly string[]): Promise<any>;
  /** A command in this process, for who waits: a start for each look would take the time from the server. */
  look(...words: readonly string[]): Promise<Ran>;
  reach(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
  /** A machine below the directory, with its agent invited, enrolled and running. `home/policy` is there already. */
  startAgent(target: string, home: string): Promise<void>;
  stop(): Promise<void>;
}

export function createProgramKit(name: string): ProgramKit {
  const directory = mkdtempSync(join(tmpdir(), `lockstep-${name}-`));
  const children = new Set<ChildProcess>();
  let said = "";
  const spawned = (words: readonly string[], env: Env, program: string): ChildProcessWithoutNullStreams => {
    const child = spawn(process.execPath, [program, ...words], {
      cwd: directory,
      env: { PATH: process.env["PATH"], HOME: directory, LOCKSTEP_DATA: join(directory, "data"), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.add(child);
    child.once("exit", () => children.delete(child));
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    return child;
  };
  const kit: ProgramKit = {
    directory,
    said: () => said,
    start: (words, { env = {}, program = PROGRAM } = {}) => spawned(words, env, program),
    async lockstep(words, { input = "", env = {} } = {}) {
      const child = spawned(words, env, PROGRAM);
      child.stdin.end(input);
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, "close"),
      ]);
      return { code: code as number | null, stdout, stderr };
    },
    json: async (...words) => JSON.parse((await kit.lockstep([...words, "--json"])).stdout),
    async look(...words) {
      const ran = await lookAt(join(directory, "data"), words);
      said += `${ran.stdout}${ran.stderr}`;
      return ran;
    },
    async reach(what, holds) {
      for (const deadline = Date.now() + REACHED_WITHIN_MS; !(await holds()); await delay(100))
        if (Date.now() > deadline) throw new Error(`not reached: ${what}; it said: ${said.slice(-3_000)}`);
    },
    async startAgent(target, home) {
      const env = {
        HOME: home,
        LOCKSTEP_AGENT_STATE: join(home, "state"),
        LOCKSTEP_AGENT_POLICY: policyFileOf(home),
        LOCKSTEP_DATA: join(home, "none"),
      };
      const { stdout: input } = await kit.lockstep(["agent", "invite", target]);
      const { code, stderr } = await kit.lockstep(["agent", "enroll"], { input, env });
      if (code !== 0) throw new Error(`the agent was not enrolled: ${stderr}`);
      kit.start(["agent", "run"], { env });
    },
    async stop() {
      for (const child of [...children]) {
        const gone = once(child, "exit");
        child.kill("SIGTERM");
        await Promise.race([gone, delay(ENDS_WITHIN_MS).then(() => child.kill("SIGKILL"))]);
      }
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return kit;
}

/** A command in this process, at the server of a data directory. */
export function lookAt(data: string, words: readonly string[]): Promise<Ran> {
  return runCli(words, { env: { LOCKSTEP_DATA: data } });
}

/** What the machine's owner allows; its directory is made. */
export function policyFileOf(home: string): string {
  const directory = join(home, "policy");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return join(directory, "agent-policy.yaml");
}

/** With a listener for agents; ready when this is. */
export async function startServerWithAgents(kit: ProgramKit): Promise<void> {
  kit.start(["up", "--port", "0", "--agents", `127.0.0.1:${await freePort()}`]);
  await kit.reach("the server", () => kit.said().includes("Agents reach it"));
}
