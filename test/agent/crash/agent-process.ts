/** The agent's program, as a process that ends itself by SIGKILL at a checkpoint: state, policy, checkpoint. */

import { createAgentProgram } from "../../../src/edges/agent/program.ts";
import { agentSettings } from "../../../src/settings/agent-program.ts";
import { SHORT } from "../../support/agent-kit.ts";

const [state = "", policy = "", deadly = "none"] = process.argv.slice(2);
const end = new AbortController();
process.once("SIGTERM", () => end.abort());
const program = createAgentProgram({
  settings: agentSettings(process.env, { state, policy }),
  version: "0.0.0-test",
  self: [process.execPath],
  write: (line) => void process.stderr.write(line),
  scrubber: { know: () => undefined, scrub: (text) => text },
  timing: SHORT,
  checkpoint: async (point) => {
    if (point === deadly) process.kill(process.pid, "SIGKILL");
  },
});
await program.run(end.signal);
