/**
 * What commander lets pass and a person does not mean: an option with one value given twice, of which the last would
 * win silently, and a value or name that is empty, as of a variable that is not set.
 */
import { type Command, Option } from "commander";
import { LockstepError } from "../../../core/errors.ts";

/** Throws USAGE before the command's action runs. */
export function beStrict(program: Command): void {
  const given = new Map<Option, number>();
  for (const command of withBelow(program)) {
    for (const option of command.options) {
      command.on(`option:${option.name()}`, () => void given.set(option, (given.get(option) ?? 0) + 1));
    }
  }
  program.hook("preAction", (_, command) => {
    for (const option of command.options.filter(takesValue)) {
      const value: unknown = command.getOptionValue(option.attributeName());
      if (value === "" || (Array.isArray(value) && value.includes("")))
        throw usage(`Option ${option.long ?? option.flags} has an empty value.`, command);
      if ((given.get(option) ?? 0) > 1 && !Array.isArray(value))
        throw usage(`Option ${option.long ?? option.flags} is given twice, and takes one value.`, command);
    }
    for (const [index, argument] of command.registeredArguments.entries()) {
      // Of another program, whose arguments may be empty.
      if (!argument.variadic && command.args[index] === "")
        throw usage(`The argument ${argument.name()} is empty.`, command);
    }
  });
}

/** `--json` is understood wherever it stands: also between a group and its command. */
export function jsonEverywhere(program: Command): void {
  for (const command of withBelow(program)) {
    if (!command.options.some(({ long }) => long === "--json"))
      command.addOption(new Option("--json", "print one JSON document on stdout").hideHelp());
  }
}

export function withBelow(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withBelow)];
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function usage(message: string, command: Command): LockstepError {
  const path: string[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) path.unshift(at.name());
  return new LockstepError("USAGE", message, { hint: `See \`${path.join(" ")} --help\`.` });
}
