/** A real worker, in a process of its own that the bench may kill. */
import { composeContext } from "../../../src/composition/compose.ts";
import { startWorker } from "../../../src/edges/worker/worker.ts";
import { readSettings } from "../../../src/settings/settings.ts";
import { BENCH_TIMING } from "./timing.ts";

const composed = await composeContext("worker", readSettings(), { timing: BENCH_TIMING });
const worker = await startWorker(composed.context, { concurrency: 10 });
process.on("SIGTERM", () => {
  void worker
    .close()
    .then(() => composed.close())
    .finally(() => process.exit());
});
// Its starter is gone, however that ended.
process.on("disconnect", () => process.exit());
process.send?.("started");
