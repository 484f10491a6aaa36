/** Over the whole table of commands: what is typed behind a command reaches that command, and nobody above it. */
import { Command, type Option } from "commander";
import { describe, expect, test } from "vitest";
import { buildProgram } from "../../src/edges/cli/syntax/program.ts";
import { inheritSettings } from "../../src/edges/cli/syntax/root.ts";
import { beStrict, withBelow } from "../../src/edges/cli/syntax/strict.ts";

interface Reached {
  readonly path: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** As `run.ts` parses, with an action that tells what it was given. Throws what is refused. */
async function parse(words: readonly string[]): Promise<Reached | null> {
  let reached: Reached | null = null;
  const program = buildProgram((command) => {
    command.action((...given: unknown[]) => {
      const called = given.at(-1);
      if (!(called instanceof Command)) throw new Error("no command");
      reached = { path: pathOf(called).join(" "), options: called.opts() };
    });
  })
    .version("0.0.0-own", "--version", "print the version")
    .exitOverride()
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  inheritSettings(program);
  beStrict(program);
  await program.parseAsync([...words], { from: "user" });
  return reached;
}

function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

const leaves = withBelow(buildProgram(() => undefined)).filter(({ commands }) => commands.length === 0);

const SAMPLES: Readonly<Record<string, string>> = {
  duration: "30s",
  number: "5",
  count: "5",
};

function sample({ flags, argChoices }: Option): string {
  return argChoices?.[0] ?? SAMPLES[/[<[]([\w-]+)/.exec(flags)?.[1] ?? ""] ?? "word";
}

function wordsFor(command: Command, besides?: Option): readonly string[] {
  const mandatory = command.options.filter((option) => option.mandatory && option !== besides);
  return [
    ...pathOf(command),
    ...command.registeredArguments
      .filter(({ required }) => required)
      .map(({ argChoices }) => argChoices?.[0] ?? "word"),
    ...mandatory.flatMap((option) => [option.long ?? "", sample(option)]),
  ];
}

const cases = leaves.flatMap((command) =>
  command.options.map((option) => [`${pathOf(command).join(" ")} ${option.flags}`, command, option] as const),
);

test("the table is there", () => {
  expect(leaves.length).toBeGreaterThan(50);
  expect(cases.length).toBeGreaterThan(150);
});

test.each(cases)("%s reaches its command", async (_name, command, option) => {
  for (const flag of [option.long, option.short].filter((one) => typeof one === "string")) {
    const given = option.required || option.optional ? [flag, sample(option)] : [flag];
    const reached = await parse([...wordsFor(command, option), ...given]);
    expect(reached?.path).toBe(pathOf(command).join(" "));
    const value = reached?.options[option.attributeName()];
    if (option.negate) expect(value).toBe(false);
    else expect(value ?? false).not.toBe(false);
  }
});

describe.each(leaves.map((command) => [pathOf(command).join(" "), command] as const))(
  "%s",
  (_name, command) => {
    test("refuses what it does not know, and does nothing", async () => {
      for (const unknown of ["--version", "-V", "-v", "--no-such-option"])
        await expect(parse([...wordsFor(command), unknown])).rejects.toMatchObject({
          code: "commander.unknownOption",
        });
      if (!command.registeredArguments.some(({ variadic }) => variadic)) {
        const full = command.registeredArguments.filter(({ required }) => !required).map(() => "word");
        await expect(parse([...wordsFor(command), ...full, "superfluous"])).rejects.toMatchObject({
          code: "commander.excessArguments",
        });
      }
    });

    test("refuses a single value that is given twice or is empty", async () => {
      for (const option of command.options.filter(({ required, variadic }) => required && !variadic)) {
        const flag = option.long ?? "";
        await expect(parse([...wordsFor(command, option), flag, ""])).rejects.toThrow();
        const twice = parse([...wordsFor(command, option), flag, sample(option), flag, sample(option)]);
        // The one that is meant to be given several times collects them.
        if (option.flags === "-f, --file <path>" && command.name() !== "init") await twice;
        else await expect(twice).rejects.toThrow("given twice");
      }
    });
  },
);

test("--json is understood wherever it stands before --", async () => {
  for (const words of ["--json secret list", "secret --json list", "secret list --json"])
    expect((await parse(words.split(" ")))?.path).toBe("secret list");
});

test("what follows -- is another program's", async () => {
  expect((await parse(["run", "--", "tool", "--json", "--version", ""]))?.options).toEqual({});
});
