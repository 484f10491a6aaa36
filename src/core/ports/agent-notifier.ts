/** `all`: the line was cut, so some may have been lost; whoever listens treats every target as notified. */
export type NotifiedTargets = readonly string[] | "all";

/**
 * Notifies agents that something changed for them. Agents also ask by themselves, so a lost notification costs time and
 * nothing else. Crosses processes: the worker that finds a target owed and the server that holds the agent's
 * stream are seldom the same.
 */
export interface AgentNotifier {
  /** After commit only. Never throws; coalesces; a target without an agent is ignored. */
  notify(targetIds: readonly string[]): void;
  /** `hear` is called in this process for every target that any process notifies, and must not throw. Answers how to stop. */
  listen(hear: (notified: NotifiedTargets) => void): () => void;
  /** Sends what still waits, where it can. */
  close(): Promise<void>;
}
