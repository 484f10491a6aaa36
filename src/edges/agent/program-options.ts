/** What the agent's program is given when its machine starts it. */
import type { AgentSettings } from "../../settings/agent-program.ts";
import type { AgentContext, AgentTiming } from "./context.ts";
import type { ProgramForm } from "./upgrade/program-form.ts";
import type { UpgradeParts } from "./upgrade/upgrade-program.ts";

export interface AgentProgramOptions {
  readonly settings: AgentSettings;
  readonly version: string;
  /** Absolute words by which this program is started again: node and the entry's file. */
  readonly self: readonly [string, ...string[]];
  /** Left out: `package`. */
  readonly form?: ProgramForm;
  /** To standard error. */
  readonly write: (line: string) => void;
  readonly scrubber: { know(value: string): void; scrub(text: string): string };
  readonly timing?: Partial<AgentTiming>;
  readonly checkpoint?: AgentContext["checkpoint"];
  readonly upgradeCheckpoint?: NonNullable<UpgradeParts["checkpoint"]>;
}
