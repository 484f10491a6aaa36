/** What the store keeps of lockstep.yaml for a machine with an agent, beside what its bundles carry. */
import type { TargetRecord } from "../../core/store/targets.ts";
import type { Bundle } from "../../protocol/agent/messages.ts";

export interface AgentConfig {
  readonly shortLived: boolean;
  /** What restarts; null or left out: nothing but the agent's own program. */
  readonly activate?: Bundle["activate"];
}

/** Only of a target of the kind `agent`, whose `parse` wrote it: others have none of it. */
export function agentConfigOf({ config }: Pick<TargetRecord, "config">): Partial<AgentConfig> {
  return config as Partial<AgentConfig>;
}
