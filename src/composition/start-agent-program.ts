/** Puts the agent's program together for the command line of a managed machine: it needs no store and no server's parts. */
import { fileURLToPath } from "node:url";
import { createScrubber } from "../adapters/telemetry/scrubber.ts";
import { type AgentProgram, createAgentProgram } from "../edges/agent/program.ts";
import type { AgentFlags } from "../settings/agent-program.ts";
import { readAgentSettings } from "../settings/settings.ts";

export function openAgentProgram(version: string, entryUrl: string, flags: AgentFlags): AgentProgram {
  return createAgentProgram({
    settings: readAgentSettings(flags),
    version,
    self: [process.execPath, ...process.execArgv, fileURLToPath(entryUrl)],
    write: (line) => void process.stderr.write(line),
    scrubber: createScrubber(),
  });
}
