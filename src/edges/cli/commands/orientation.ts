/** `lockstep` without a command: where one stands, and what comes next. Asks the server nothing, so it answers at once. */
import { join } from "node:path";
import type { CommandFunction } from "../cli.ts";
import { DEFAULT_CONFIG_FILE } from "../config-file/read-config.ts";
import { exists } from "../init/write-file.ts";
import { findLocalServer } from "../local-line.ts";

const EXIT_USAGE = 64;

interface Step {
  readonly command: string;
  readonly why: string;
  readonly done?: string | null;
}

export const run: CommandFunction<[], unknown> = async ({ output, surroundings }) => {
  const local = surroundings.url === null ? await findLocalServer(surroundings.dataDirectory) : null;
  const server = surroundings.url ?? local?.url ?? null;
  const hasConfig = await exists(join(surroundings.workingDirectory, DEFAULT_CONFIG_FILE));
  const steps: readonly Step[] = [
    { command: "lockstep up", why: "starts it on this machine", done: server && `runs at ${server}` },
    {
      command: "lockstep init",
      why: "asks questions and writes lockstep.yaml",
      done: hasConfig ? "lockstep.yaml is here" : null,
    },
    { command: "lockstep plan", why: "what lockstep.yaml would change; writes nothing" },
    { command: "lockstep apply", why: "makes these changes" },
    { command: "lockstep status", why: "which version each place holds, and what is wrong" },
    { command: "lockstep rotate NAME --wait", why: "a new value everywhere, with proof" },
  ];
  const width = Math.max(...steps.map(({ command }) => command.length));
  const next = steps.find(({ done = null }) => done === null);
  output.answer({ server, next: next?.command ?? null }, () => {
    output.line("Lockstep keeps the secrets that services use to trust each other the same everywhere.");
    output.line();
    for (const step of steps) {
      const { command, why, done = null } = step;
      const mark = done !== null ? "ok" : step === next ? "->" : "  ";
      output.line(`${mark} ${command.padEnd(width)}  ${done ?? why}`);
    }
    output.line();
    output.line("All commands: lockstep --help        One of them: lockstep rotate --help");
  });
  return EXIT_USAGE;
};
