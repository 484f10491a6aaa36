/** `all`: the line was cut, so hints may have been lost; whoever listens treats every target as told. */
export type ToldTargets = readonly string[] | "all";

/**
 * Tells agents that something changed for them. A hint only: agents also ask by themselves, so a lost one costs
 * time and nothing else. Crosses processes: the worker that finds a target owed and the server that holds the agent's
 * stream are seldom the same.
 */
export interface AgentHints {
  /** After commit only. Never throws; coalesces; a target without an agent is ignored. */
  tell(targetIds: readonly string[]): void;
  /** `hear` is called in this process for every target told anywhere, and must not throw. Answers how to stop. */
  listen(hear: (told: ToldTargets) => void): () => void;
  /** Tells what still waits, where it can. */
  close(): Promise<void>;
}
