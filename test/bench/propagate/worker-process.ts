/** A real worker with its defaults, as in production: a process of its own. Started by `world.ts`. */

import { startProcess } from "../../../src/composition/start.ts";
import { readSettings } from "../../../src/settings/settings.ts";

const started = await startProcess({ role: "worker", settings: readSettings(), version: "0.0.0-bench" });
process.on("SIGTERM", () => void started.close().finally(() => process.exit()));
// Its starter is gone, however that ended.
process.on("disconnect", () => process.exit());
process.send?.("started");
