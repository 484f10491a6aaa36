/**
 * `lockstep rewrap` as a process of its own, for tests that kill it: `KILL_AT=<checkpoint>:<n>` ends it with SIGKILL at
 * the n-th time that it reaches the checkpoint. It prints `ready` once it is started, and what it has done as JSON.
 */
import type { Checkpoint } from "../../src/app/base/context.ts";
import { rewrapAll } from "../../src/app/secrets/rewrap-all.ts";
import { composeContext } from "../../src/composition/compose.ts";
import { readSettings } from "../../src/settings/settings.ts";

const [killAt = "", nth = "1"] = (process.env["KILL_AT"] ?? "").split(":");
let reached = 0;

const { context, close } = await composeContext("server", readSettings(), {
  checkpoint: async (point: Checkpoint) => {
    if (point !== killAt) return;
    reached += 1;
    if (reached === Number(nth)) process.kill(process.pid, "SIGKILL");
  },
});
process.stdout.write("ready\n");
const done = await rewrapAll(context, { kind: "system", id: "rewrap", name: "rewrap" });
process.stdout.write(`${JSON.stringify(done)}\n`);
await close();
process.exit();
