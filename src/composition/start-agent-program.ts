/** Puts the agent's program together for the command line of a managed machine: it needs no store and no server's parts. */
import { createScrubber } from "../adapters/telemetry/scrubber.ts";
import { type AgentProgram, createAgentProgram } from "../edges/agent/program.ts";
import type { ProgramForm } from "../edges/agent/upgrade/program-form.ts";
import type { AgentFlags } from "../settings/agent-program.ts";
import { readAgentSettings } from "../settings/settings.ts";

/** `entry`: the path of the file that Node was started with; null: a single executable, which holds it. */
export function openAgentProgram(
  version: string,
  { entry, form }: { readonly entry: string | null; readonly form: ProgramForm },
  flags: AgentFlags,
): AgentProgram {
  return createAgentProgram({
    settings: readAgentSettings(flags),
    version,
    self: [process.execPath, ...(entry === null ? [] : [...process.execArgv, entry])],
    form,
    write: (line) => void process.stderr.write(line),
    scrubber: createScrubber(),
  });
}
