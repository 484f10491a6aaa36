/**
 * What can be typed after what, read from the commands themselves: a command that is added completes without further
 * ado. Placeholders name what stands there (`<secret>`, `<target>`, `<path>`), in the help as well as here.
 */
import type { Argument, Command, Option } from "commander";

/** Names that only the server knows. */
export const DYNAMIC_NAMES = ["secrets", "targets", "environments", "rollouts"] as const;
export type DynamicNames = (typeof DYNAMIC_NAMES)[number];

export type Values =
  | { readonly kind: "none" }
  | { readonly kind: "files" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "names"; readonly of: DynamicNames };

export interface CompletedOption {
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  /** Null: it takes no value. */
  readonly value: Values | null;
}

export interface CompletedCommand {
  /** Words after `lockstep`; empty for the program itself. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  readonly values: readonly Values[];
}

const PLACEHOLDERS: Readonly<Record<string, Values>> = {
  secret: { kind: "names", of: "secrets" },
  target: { kind: "names", of: "targets" },
  environment: { kind: "names", of: "environments" },
  rollout: { kind: "names", of: "rollouts" },
  path: { kind: "files" },
};

const HELP: CompletedOption = { short: "-h", long: "--help", description: "how it is used", value: null };

/** The program first, then every command below it that is not hidden. */
export function completionModel(command: Command, path: readonly string[] = []): readonly CompletedCommand[] {
  const visible = command.createHelp().visibleCommands(command);
  const below = visible.filter((child) => command.commands.includes(child));
  const own: CompletedCommand = {
    path,
    commands: below.map((child) => ({
      name: child.name(),
      description: child.summary() || child.description(),
    })),
    options: [...command.options.filter(({ hidden }) => !hidden).map(completedOption), HELP],
    values: command.registeredArguments.map(argumentValues),
  };
  return [own, ...below.flatMap((child) => completionModel(child, [...path, child.name()]))];
}

function completedOption(option: Option): CompletedOption {
  const { short = null, long, flags, description, argChoices, required, optional } = option;
  const placeholder = /[<[]([\w-]+)(?:\.\.\.)?[>\]]/.exec(flags)?.[1];
  const takesValue = required || optional;
  return {
    short,
    long: long ?? flags,
    description,
    value: takesValue ? valuesOf(argChoices, placeholder ?? "") : null,
  };
}

function argumentValues(argument: Argument): Values {
  return valuesOf(argument.argChoices, argument.name());
}

function valuesOf(choices: readonly string[] | undefined, placeholder: string): Values {
  if (choices !== undefined) return { kind: "words", words: choices };
  return PLACEHOLDERS[placeholder] ?? { kind: "none" };
}
