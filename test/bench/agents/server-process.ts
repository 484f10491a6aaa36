/** A real server with the agents' listener, which tells its own memory when asked. Started by `agents.ts`. */

import { startProcess } from "../../../src/composition/start.ts";
import { readSettings } from "../../../src/settings/settings.ts";
import type { ServerAnswer } from "./messages.ts";

const started = await startProcess({
  role: "server",
  settings: readSettings({ port: 0, agents: "127.0.0.1:0" }),
  version: "0.0.0-bench",
});

const answer = (message: ServerAnswer): void => void process.send?.(message);

process.on("message", () => {
  // What a pause would collect anyway does not belong to an idle stream.
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  answer({ kind: "memory", rssKiB: rss / 1_024, heapKiB: heapUsed / 1_024 });
});
process.on("SIGTERM", () => void started.close().finally(() => process.exit()));
answer({ kind: "started", url: started.agentUrl ?? "" });
