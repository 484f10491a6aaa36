/** Many whole agents in one process, as each would be alone on its machine. Forked by benches. */
import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { createAgentProgram } from "../../../src/edges/agent/program.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";

export interface EnrolOrder {
  readonly code: string;
  readonly home: string;
}

const AT_ONCE = 16;
const end = new AbortController();
// Every agent listens to it.
setMaxListeners(0, end.signal);
const never = new AbortController().signal;
setMaxListeners(0, never);
const running: Promise<void>[] = [];

process.on("message", async (order: readonly EnrolOrder[]) => {
  await mapLimited(order, AT_ONCE, async ({ code, home }) => {
    const program = createAgentProgram({
      settings: {
        stateDirectory: join(home, "state"),
        enrolmentFile: null,
        policyFile: join(home, "policy", "agent-policy.yaml"),
        homeDirectory: home,
        env: { PATH: process.env["PATH"] },
      },
      version: "0.0.0-bench",
      self: [process.execPath],
      write: () => undefined,
      scrubber: { know: () => undefined, scrub: (text) => text },
    });
    await program.enroll(code, never);
    running.push(program.run(end.signal));
  });
  process.send?.("running");
});
process.on("SIGTERM", () => {
  end.abort();
  void Promise.allSettled(running).finally(() => process.exit());
});
// Its starter is gone, however that ended.
process.on("disconnect", () => process.exit());
