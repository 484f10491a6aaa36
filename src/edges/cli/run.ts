/**
 * The command line from argv to exit code: 0 done or in sync, 1 failed, 2 `plan` has changes, 3 drift, 4 cannot tell,
 * 64 usage. Errors leave in the catalogue's words on stderr.
 */
import { CommanderError } from "commander";
import { type Environment, readCliSurroundings, readSettings } from "../../config.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Cli, OpenAgent, OpenRootKeyCopies, RunDemo, StartProcess } from "./cli.ts";
import { Output, type Streams, survivePipes } from "./output.ts";
import { buildProgram, inheritSettings } from "./syntax/program.ts";

export interface CommandLine {
  readonly argv: readonly string[];
  readonly version: string;
  readonly start: StartProcess;
  readonly demo: RunDemo;
  readonly agent: OpenAgent;
  readonly rootKeyCopies: OpenRootKeyCopies;
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
  let output = new Output(streams, { json, noColor: true, forcedColumns: null });
  // What commander would write to stderr: help is passed on, errors are told in our own words.
  const complaints: string[] = [];
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ENDING) process.once(signal, interrupt);
  try {
    const surroundings = readCliSurroundings(commandLine.env);
    output = new Output(streams, { json, ...surroundings });
    const cli: Cli = {
      output,
      stdin: streams.stdin,
      surroundings,
      settings: (flags) => readSettings(flags, commandLine.env),
      start: commandLine.start,
      demo: commandLine.demo,
      agent: commandLine.agent,
      rootKeyCopies: commandLine.rootKeyCopies,
      api: async () => (await import("./connection.ts")).connect(surroundings),
      interrupted: interrupted.signal,
    };
    return await parse(commandLine, cli, complaints);
  } catch (error) {
    if (error instanceof CommanderError) return ofCommander(error, output, { argv, complaints });
    const translated = toLockstepError(error);
    output.error(translated);
    return translated.exitCode;
  } finally {
    for (const signal of ENDING) process.off(signal, interrupt);
  }
}

async function parse(
  { argv, version, streams }: CommandLine,
  cli: Cli,
  complaints: string[],
): Promise<number> {
  let exitCode = 0;
  const program = buildProgram((command, load) => {
    command.action(async (...given: unknown[]) => {
      const { run } = await load();
      const parameters = given.slice(0, -2) as unknown as Parameters<typeof run>[1];
      exitCode = (await run(cli, parameters, given.at(-2) as Parameters<typeof run>[2])) ?? 0;
    });
  })
    .version(version, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => complaints.push(text),
    });
  inheritSettings(program);
  if (argv.every((word) => word === "--json")) {
    return (await (await import("./commands/orientation.ts")).run(cli, [], {})) ?? EXIT_USAGE;
  }
  await program.parseAsync(argv, { from: "user" });
  return exitCode;
}

function ofCommander(
  error: CommanderError,
  output: Output,
  { argv, complaints }: { readonly argv: readonly string[]; readonly complaints: readonly string[] },
): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help" || error.code === "commander.helpDisplayed") {
    output.note(complaints.join("").trimEnd());
    return EXIT_USAGE;
  }
  const [message = "", ...more] = error.message.replace(/^error: /, "").split("\n");
  const meant = /Did you mean (?:one of )?([^?]+)\?/.exec(more.join(" "))?.[1];
  const near = meant === undefined ? "" : `Did you mean ${meant}? `;
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}`.replace(/\.?$/, ".");
  const hint = `${near}See \`lockstep ${[...commandOf(argv), "--help"].join(" ")}\`.`;
  output.error(new LockstepError("USAGE", sentence, { hint }));
  return EXIT_USAGE;
}

/** The command that was meant, as far as its words are known: its help is the right page. */
function commandOf(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  let command = buildProgram(() => undefined);
  for (const word of argv) {
    const below = command.commands.find((child) => child.name() === word);
    if (below === undefined) break;
    words.push(word);
    command = below;
  }
  return words;
}
