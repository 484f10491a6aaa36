/**
 * The simulator as a process of its own, so that it outlives whatever a test kills.
 *
 *   main [--options FILE] [--port N] [--control-port N] [--stop-with-stdin]
 *
 * Prints one line of JSON when it is ready: `url`, `controlUrl`, and the ids and tokens that exist from the start.
 * Ends on SIGINT and SIGTERM; with --stop-with-stdin also when its input ends, so that it never outlives the parent.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startControlServer } from "./control/control-server.ts";
import { startRailwaySimulator } from "./server.ts";
import { populate, START_OPTIONS, toSimulatorOptions } from "./start-options.ts";

const { values } = parseArgs({
  options: {
    options: { type: "string" },
    port: { type: "string" },
    "control-port": { type: "string" },
    "stop-with-stdin": { type: "boolean", default: false },
  },
});
const file = values.options === undefined ? {} : JSON.parse(readFileSync(values.options, "utf8"));
const parsed = START_OPTIONS.safeParse({
  ...file,
  ...(values.port === undefined ? {} : { port: Number(values.port) }),
  ...(values["control-port"] === undefined ? {} : { controlPort: Number(values["control-port"]) }),
});
if (!parsed.success) {
  process.stderr.write(`The options cannot be used.\n${z.prettifyError(parsed.error)}\n`);
  process.exit(64);
}
const options = parsed.data;

const simulator = await startRailwaySimulator(toSimulatorOptions(options));
populate(simulator, options);
const control = await startControlServer(simulator.simulation, options.controlPort);
process.stdout.write(
  `${JSON.stringify({ url: simulator.url, controlUrl: control.url, ...simulator.defaults })}\n`,
);

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await Promise.all([control.close(), simulator.close()]);
  process.exit(0);
}
process.on("SIGINT", () => void stop());
process.on("SIGTERM", () => void stop());
if (values["stop-with-stdin"]) process.stdin.on("end", () => void stop()).resume();
