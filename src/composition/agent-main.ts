/**
 * The entry of the agent's program in one file, which a managed machine gets from its server: the commands of such a
 * machine alone. Bundled as CommonJS, the one form that Node also starts from within a single executable.
 */
import "../adapters/telemetry/before-all.ts";
import { resolve } from "node:path";
import { isSea } from "node:sea";
import { AGENT_COMMANDS } from "../edges/cli/agent-commands.ts";
import { leaveSignals } from "../edges/cli/ending.ts";
import { runCommandLine } from "../edges/cli/run.ts";
import { platformOf } from "../protocol/agent/program.ts";
import { openAgentProgram } from "./start-agent-program.ts";

/** Put in by the build. */
declare const LOCKSTEP_RELEASE: string;

/** A single executable has no file of its own beside it. */
const entry = isSea() ? null : resolve(process.argv[1] ?? "");
const form = {
  kind: "file",
  path: entry ?? process.execPath,
  runsOn: entry === null ? platformOf(process.platform, process.arch) : "node",
} as const;

const elsewhere = (): Promise<never> => Promise.reject(new Error("not in this program"));
const LINGER_MS = 3_000;

async function main(): Promise<void> {
  process.exitCode = await runCommandLine({
    argv: process.argv.slice(2),
    version: LOCKSTEP_RELEASE,
    commands: AGENT_COMMANDS,
    streams: process,
    demo: elsewhere,
    agent: async (flags) => openAgentProgram(LOCKSTEP_RELEASE, { entry, form }, flags),
    rootKeyCopies: elsewhere,
    start: elsewhere,
  });
  leaveSignals();
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

void main();
