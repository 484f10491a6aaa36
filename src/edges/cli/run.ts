/**
 * The command line from argv to exit code: 0 done or in sync, 1 failed, 2 `plan` has changes, 3 drift, 4 cannot tell,
 * 64 usage. Errors leave in the catalogue's words on stderr.
 */
import { Command, CommanderError } from "commander";
import { type Environment, readCliSurroundings, readSettings } from "../../config.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Attach, Cli, StartProcess } from "./cli.ts";
import { Output, type Streams, survivePipes } from "./output.ts";
import { attachEverything } from "./syntax/everything.ts";

export interface CommandLine {
  readonly argv: readonly string[];
  readonly version: string;
  readonly start: StartProcess;
  readonly streams: Streams & { readonly stdin: NodeJS.ReadStream };
  /** The process's own unless told. */
  readonly env?: Environment;
}

const EXIT_USAGE = 64;
const ENDING = ["SIGINT", "SIGTERM"] as const;

export async function runCommandLine(commandLine: CommandLine): Promise<number> {
  const { argv, streams } = commandLine;
  survivePipes(streams);
  // Known before anything is parsed, so that a usage error already speaks the wanted language.
  const json = argv.includes("--json");
  let output = new Output(streams, { json, noColor: true });
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ENDING) process.once(signal, interrupt);
  try {
    const surroundings = readCliSurroundings(commandLine.env);
    output = new Output(streams, { json, noColor: surroundings.noColor });
    const cli: Cli = {
      output,
      stdin: streams.stdin,
      surroundings,
      settings: (flags) => readSettings(flags, commandLine.env),
      start: commandLine.start,
      api: async () => (await import("./connection.ts")).connect(surroundings),
      interrupted: interrupted.signal,
    };
    return await parse(commandLine, cli);
  } catch (error) {
    if (error instanceof CommanderError) return ofCommander(error, output);
    const translated = toLockstepError(error);
    output.error(translated);
    return translated.exitCode;
  } finally {
    for (const signal of ENDING) process.off(signal, interrupt);
  }
}

async function parse({ argv, version, streams }: CommandLine, cli: Cli): Promise<number> {
  let exitCode = 0;
  const program = new Command("lockstep")
    .description(
      "Keeps the secrets that services use to trust each other the same everywhere, and proves it.",
    )
    .version(version, "--version", "print the version")
    .option("--json", "print one JSON document on stdout")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      // Usage errors are told by `ofCommander`, in the same words as every other error.
      writeErr: () => undefined,
    });
  const attach: Attach = (command, load) => {
    command.option("--json", "print one JSON document on stdout");
    command.action(async (...given: unknown[]) => {
      const { run } = await load();
      const parameters = given.slice(0, -2) as unknown as Parameters<typeof run>[1];
      exitCode = (await run(cli, parameters, given.at(-2) as Parameters<typeof run>[2])) ?? 0;
    });
  };
  attachEverything(program, attach);
  inherit(program);
  if (argv.length === 0) {
    program.outputHelp();
    return EXIT_USAGE;
  }
  await program.parseAsync(argv, { from: "user" });
  return exitCode;
}

/** Sub-commands made by `command()` inherit these; those of groups are told once more for certainty. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}

function ofCommander(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help" || error.code === "commander.helpDisplayed") return EXIT_USAGE;
  const message = error.message.replace(/^error: /, "").replace(/\n/g, " ");
  output.error(
    new LockstepError("USAGE", `${message.charAt(0).toUpperCase()}${message.slice(1)}.`.replace("..", ".")),
  );
  return EXIT_USAGE;
}
