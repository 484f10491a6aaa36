/** The whole tree of commands, words only: for running one, for completions, and for tests over all of them. */
import { type Argument, Command } from "commander";
import type { Attach } from "../cli.ts";
import { attachEverything } from "./everything.ts";
import { examples } from "./options.ts";
import { jsonEverywhere } from "./strict.ts";

export function buildProgram(attach: Attach): Command {
  const program = new Command("lockstep")
    .description(
      "Keeps the secrets that services use to trust each other the same everywhere, and proves it.",
    )
    .option("--json", "print one JSON document on stdout")
    // What stands behind a command is that command's: `--version` there is not ours.
    .enablePositionalOptions()
    .configureHelp({
      // `[options]` on every line says nothing.
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(placeholder)].join(" "),
    })
    .addHelpText(
      "after",
      examples("lockstep init", "lockstep plan", "lockstep rotate INTERNAL_AUTH_SECRET --wait"),
    );
  const withJson: Attach = (command, load) => {
    command.option("--json", "print one JSON document on stdout");
    attach(command, load);
  };
  attachEverything(program, withJson);
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
