/** Within this process: what one part notifies, the others hear at once. */
import type { AgentNotifier } from "../../src/core/ports/agent-notifier.ts";

export function createLocalAgentNotifier(): AgentNotifier {
  const hear = new Set<Parameters<AgentNotifier["listen"]>[0]>();
  return {
    notify: (ids) => {
      for (const each of hear) each(ids);
    },
    listen: (each) => {
      hear.add(each);
      return () => void hear.delete(each);
    },
    close: async () => undefined,
  };
}
