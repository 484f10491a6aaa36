/**
 * The command line from argv to exit code: 0 done or in sync, 1 failed, 2 `plan` has changes, 3 drift, 4 cannot tell,
 * 64 usage; 130 and 143 ended by a signal, 141 nobody reads the answer. Errors leave in the catalogue's words on stderr.
 */
import { CommanderError } from "commander";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { chooseWayOut } from "../../lib/proxy/way-out.ts";
import { type Environment, readCliSurroundings, readSettings, readWayOut } from "../../settings/settings.ts";
import type { Cli, OpenAgent, OpenRootKeyCopies, RunDemo, StartProcess } from "./cli.ts";
import type { CommandSet } from "./command-set.ts";
import { Ending } from "./ending.ts";
import { Output, type Streams } from "./output.ts";
import { inheritSettings } from "./syntax/root.ts";
import { beStrict } from "./syntax/strict.ts";

export interface CommandLine {
  readonly argv: readonly string[];
  readonly version: string;
  readonly commands: CommandSet;
  readonly start: StartProcess;
  readonly demo: RunDemo;
  readonly agent: OpenAgent;
  readonly rootKeyCopies: OpenRootKeyCopies;
  readonly streams: Streams & { readonly stdin: NodeJS.ReadStream };
  /** The process's own unless told. */
  readonly env?: Environment;
}

const EXIT_USAGE = 64;

export async function runCommandLine(commandLine: CommandLine): Promise<number> {
  const { argv, streams } = commandLine;
  const ending = new Ending(streams);
  // Known before anything is parsed, so that a usage error already speaks the wanted language.
  const json = asksForJson(argv);
  let output = new Output(streams, { json, noColor: true, forcedColumns: null });
  // What commander would write to stderr: help is passed on, errors are told in our own words.
  const complaints: string[] = [];
  try {
    chooseWayOut(readWayOut(commandLine.env));
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
      api: async () => (await commandLine.commands.connect(surroundings)).endedBy(ending.aborted),
      interrupted: ending.aborted,
      handOverSignals: () => ending.handOver(),
    };
    return await ending.exitCode(await parse(commandLine, cli, complaints));
  } catch (error) {
    if (error instanceof CommanderError)
      return await ending.exitCode(ofCommander(error, output, commandLine, complaints));
    const translated = toLockstepError(error);
    output.error(translated);
    return await ending.exitCode(
      translated.code === "INTERRUPTED" ? ending.interruptedCode : translated.exitCode,
    );
  } finally {
    ending.close();
  }
}

/** What follows `--` is another program's. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}

async function parse(
  { argv, version, streams, commands }: CommandLine,
  cli: Cli,
  complaints: string[],
): Promise<number> {
  let exitCode = 0;
  const program = commands
    .build((command, load) => {
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
  beStrict(program);
  if (argv.every((word) => word === "--json")) {
    return (await (await commands.orientation())(cli, [], {})) ?? EXIT_USAGE;
  }
  await program.parseAsync(argv, { from: "user" });
  return exitCode;
}

function ofCommander(
  error: CommanderError,
  output: Output,
  { argv, commands }: CommandLine,
  complaints: readonly string[],
): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help" || error.code === "commander.helpDisplayed") {
    output.note(complaints.join("").trimEnd());
    return EXIT_USAGE;
  }
  const [message = "", ...more] = error.message.replace(/^error: /, "").split("\n");
  const meant = /Did you mean (?:one of )?([^?]+)\?/.exec(more.join(" "))?.[1];
  const ownVersion = "`lockstep --version` prints Lockstep's own; a secret's is --secret-version. ";
  const near = message.includes("'--version'")
    ? ownVersion
    : meant === undefined
      ? ""
      : `Did you mean ${meant}? `;
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}`.replace(/\.?$/, ".");
  const hint = `${near}See \`lockstep ${[...commandOf(argv, commands), "--help"].join(" ")}\`.`;
  output.error(new LockstepError("USAGE", sentence, { hint }));
  return EXIT_USAGE;
}

/** The command that was meant, as far as its words are known: its help is the right page. */
function commandOf(argv: readonly string[], { build }: CommandSet): readonly string[] {
  const words: string[] = [];
  let command = build(() => undefined);
  for (const word of argv) {
    const below = command.commands.find((child) => child.name() === word);
    if (below === undefined) break;
    words.push(word);
    command = below;
  }
  return words;
}
