/** Hints within this process: what one part tells, the others hear at once. */
import type { AgentHints } from "../../src/core/ports/agent-hints.ts";

export function createHintsHere(): AgentHints {
  const hear = new Set<Parameters<AgentHints["listen"]>[0]>();
  return {
    tell: (ids) => {
      for (const each of hear) each(ids);
    },
    listen: (each) => {
      hear.add(each);
      return () => void hear.delete(each);
    },
    close: async () => undefined,
  };
}
