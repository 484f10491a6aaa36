#!/usr/bin/env node
/** The entry: closes what a debugger or a foreign variable could open, then hands over to the command line. */
import "./adapters/telemetry/before-all.ts";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { leaveSignals } from "./edges/cli/ending.ts";
import { EVERY_COMMAND } from "./edges/cli/every-command.ts";
import { runCommandLine } from "./edges/cli/run.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  version,
  commands: EVERY_COMMAND,
  streams: process,
  demo: async (request) => (await import("./demo/demo.ts")).runDemo(request),
  agent: async (flags) =>
    (await import("./composition/start-agent-program.ts")).openAgentProgram(
      version,
      { entry: fileURLToPath(import.meta.url), form: { kind: "package" } },
      flags,
    ),
  rootKeyCopies: async () => (await import("./adapters/crypto/root-key-copy.ts")).rootKeyCopies,
  start: async (role, settings) =>
    (await import("./composition/start.ts")).startProcess({ role, settings, version }),
});

leaveSignals();
/** A library that still tries to reach a queue that is gone must not hold a process that has ended its work. */
const LINGER_MS = 3_000;
setTimeout(() => process.exit(), LINGER_MS).unref();
