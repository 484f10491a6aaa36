/** The world's machine: a home with a `.env`, a policy of its owner's, and a real agent in this process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAgentProgram } from "../../src/edges/agent/program.ts";
import { SHORT } from "../support/agent-kit.ts";
import { IN_OWN_MOUNTS, type OwnMounts, ownMountsOf } from "../support/own-mounts.ts";

const AGENT_PROCESS = join(import.meta.dirname, "..", "agent", "crash", "agent-process.ts");

export interface MachineOptions {
  /** Its disks can be filled: the agent is a process of its own then. */
  readonly ownMounts?: boolean;
  /** What its owner allows besides the file and the one command, as lines of the policy. */
  readonly policy?: string;
  /** Before the agent's own PATH. */
  readonly path?: string;
}

export interface WorldMachine {
  readonly home: string;
  /** The file that is kept right. */
  readonly file: string;
  readonly policy: string;
  /** While its agent runs, and only where asked for. */
  mounts(): OwnMounts | null;
  enrol(code: string): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** `said`: what it prints goes there. */
export function makeMachine(directory: string, said: string[], options: MachineOptions = {}): WorldMachine {
  const home = join(directory, "mini");
  for (const part of ["app", "policy"]) mkdirSync(join(home, part), { recursive: true, mode: 0o700 });
  const file = join(home, "app", ".env");
  const policy = join(home, "policy", "agent-policy.yaml");
  writeFileSync(
    policy,
    `files: [${file}]\ncommands: { restart: ["/bin/sh", "-c", ":"] }\n${options.policy ?? 'copies: ["~/.zshenv"]\n'}`,
    { mode: 0o600 },
  );
  const state = join(home, "state");
  const before = options.path === undefined ? "" : `${options.path}:`;
  const env = { PATH: `${before}${process.env["PATH"] ?? ""}` };
  const program = createAgentProgram({
    settings: {
      stateDirectory: state,
      enrolmentFile: null,
      policyFile: policy,
      homeDirectory: home,
      env,
    },
    version: "0.0.0-test",
    self: [process.execPath],
    write: (line) => void said.push(line),
    scrubber: { know: () => undefined, scrub: (text) => text },
    timing: SHORT,
  });
  let agent: { end(): void; readonly ended: Promise<unknown>; readonly mounts: OwnMounts | null } | null =
    null;
  const startHere = () => {
    const end = new AbortController();
    return { end: () => end.abort(), ended: program.run(end.signal), mounts: null };
  };
  const startWithOwnMounts = () => {
    const [first = "", ...words] = [
      ...IN_OWN_MOUNTS,
      ...[process.execPath, "--import", "tsx", AGENT_PROCESS, state, policy],
    ];
    const child = spawn(first, words, { env: { ...env, HOME: home }, stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.on("data", (chunk: Buffer) => void said.push(chunk.toString()));
    return {
      end: () => void child.kill("SIGTERM"),
      ended: once(child, "exit"),
      mounts: ownMountsOf(child.pid ?? 0),
    };
  };
  return {
    home,
    file,
    policy,
    async enrol(code) {
      await program.enroll(code, new AbortController().signal);
    },
    mounts: () => agent?.mounts ?? null,
    start() {
      agent = options.ownMounts === true ? startWithOwnMounts() : startHere();
    },
    async stop() {
      agent?.end();
      await agent?.ended;
      agent = null;
    },
  };
}
