/** A machine that nobody can dial into: an agent of ours on it dials out. It enrols after the file was applied. */
import type { AgentAnswers } from "./answers.ts";
import { askFile } from "./ask-file.ts";
import { askRole } from "./ask-secret.ts";
import type { Asker } from "./asker.ts";
import type { TargetNames } from "./target-names.ts";

export interface AgentOptions {
  readonly agent?: string;
  readonly agentFile?: string;
  readonly agentFormat?: string;
  readonly agentUnit?: string;
  readonly agentRole?: string;
}

export async function askAgent(
  asker: Asker,
  options: AgentOptions,
  names: TargetNames,
): Promise<AgentAnswers> {
  const target = await names.ask(
    asker,
    { option: "--agent", text: "Name of the machine", given: options.agent },
    names.near("mac-mini", "machine"),
  );
  const file = await askFile(
    asker,
    { file: options.agentFile, format: options.agentFormat, unit: options.agentUnit },
    { prefix: "agent", where: target, launchd: true },
  );
  const role = await askRole(asker, target, { option: "--agent-role", given: options.agentRole });
  return { kind: "agent", target, role, ...file };
}
