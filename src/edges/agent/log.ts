/** What the agent says while it runs: one line each, in words, to standard error; a service manager adds the time. */
import { visibleLine } from "../../lib/visible-text.ts";
import type { AgentLog } from "./context.ts";

export interface LogSink {
  readonly write: (line: string) => void;
  /** Removes what must not be seen, should it ever come here. */
  readonly scrub: (text: string) => string;
}

export function createAgentLog({ write, scrub }: LogSink): AgentLog {
  const say = (text: string): void => write(`lockstep: ${visibleLine(scrub(text))}\n`);
  return {
    say,
    failed: (what, error) => say(`${what}: ${error.code}: ${error.message} ${error.hint}`),
  };
}
