/** What each program of ours has before its own commands: `--json`, a terse help, and strictness. */
import { type Argument, Command } from "commander";
import type { Attach } from "../cli.ts";
import { examples } from "./options.ts";
import { jsonEverywhere } from "./strict.ts";

export interface Root {
  readonly description: string;
  readonly examples: readonly string[];
  readonly attachAll: (program: Command, attach: Attach) => void;
}

export function buildRoot({ description, examples: shown, attachAll }: Root, attach: Attach): Command {
  const program = new Command("lockstep")
    .description(description)
    .option("--json", "print one JSON document on stdout")
    // What stands behind a command is that command's: `--version` there is not ours.
    .enablePositionalOptions()
    .configureHelp({
      // `[options]` on every line says nothing.
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(placeholder)].join(" "),
    })
    .addHelpText("after", examples(...shown));
  const withJson: Attach = (command, load) => {
    command.option("--json", "print one JSON document on stdout");
    attach(command, load);
  };
  attachAll(program, withJson);
  jsonEverywhere(program);
  return program;
}

function placeholder(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** Sub-commands made by `command()` inherit settings; those of groups are told once more for certainty. */
export function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
