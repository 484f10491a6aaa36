/** Every command explains itself: a description, and examples that the very same syntax accepts. */
import { Command } from "commander";
import { expect, test } from "vitest";
import { buildProgram } from "../../src/edges/cli/syntax/program.ts";
import { runCli } from "../support/cli-kit.ts";

interface Named {
  readonly path: string;
  readonly command: Command;
}

function everyCommand(command: Command, path: readonly string[] = []): readonly Named[] {
  return [
    { path: path.join(" "), command },
    ...command.commands.flatMap((child) => everyCommand(child, [...path, child.name()])),
  ];
}

const commands = everyCommand(buildProgram(() => undefined));

async function helpOf(path: string): Promise<string> {
  return (await runCli([...path.split(" ").filter((word) => word !== ""), "--help"])).stdout;
}

function examplesIn(help: string): readonly string[] {
  const [, after = ""] = help.split("\nExamples:\n");
  const [block = ""] = after.split("\n\n");
  return block
    .replaceAll(/\\\n\s+/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The words of the part of a shell's line that calls lockstep: without assignments, pipes and redirections. */
function wordsOf(line: string): readonly string[] {
  const part = line
    .split(/\s(?:\|\|?|&&|;)\s/)
    .map((one) => one.replace(/\s[<>]+\s?\S+/g, "").trim())
    .map((one) => one.replace(/^(?:[A-Z_]+=\S+ )+/, ""))
    .find((one) => /^lockstep(?: |$)/.test(one));
  if (part === undefined) throw new Error(`no lockstep in: ${line}`);
  return part.split(" ").slice(1);
}

/** Answers what the syntax accepted: the command's path, and its options. */
async function parse(words: readonly string[]): Promise<string> {
  let called = "";
  const program = buildProgram((command) => {
    command.action((...given: unknown[]) => {
      const run = given.at(-1);
      if (!(run instanceof Command)) throw new Error("no command");
      const names: string[] = [];
      for (let at: Command | null = run; at?.parent; at = at.parent) names.unshift(at.name());
      called = names.join(" ");
    });
  });
  for (const { command } of everyCommand(program)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  await program.parseAsync([...words], { from: "user" });
  return called;
}

test.each(commands)(
  "`lockstep $path --help` describes it and gives examples of it",
  async ({ path, command }) => {
    expect(command.description()).not.toBe("");
    const examples = examplesIn(await helpOf(path));
    expect(examples.length).toBeGreaterThan(0);
    const called: string[] = [];
    for (const example of examples) {
      called.push(await parse(wordsOf(example)));
    }
    // Examples of other commands alone would help nobody.
    expect(called.some((name) => name === path || name.startsWith(`${path} `) || path === "")).toBe(true);
  },
);

test("the check of examples finds one that its command would refuse", async () => {
  await expect(parse(["status", "--nonsense"])).rejects.toThrow("unknown option");
  await expect(parse(["secret", "reveal"])).rejects.toThrow("missing required argument");
  expect(wordsOf("A=/srv/lockstep lockstep up --port 80 | head > file")).toEqual(["up", "--port", "80"]);
});

test("every option says what it does", () => {
  const silent = commands.flatMap(({ path, command }) =>
    command.options.filter(({ description }) => description === "").map(({ flags }) => `${path} ${flags}`),
  );
  expect(silent).toEqual([]);
});

test("the list of commands is no wall: a line for each, on an ordinary terminal", async () => {
  const help = await helpOf("");
  expect(help.split("\n").length).toBeLessThan(60);
  // What does not fit goes on below, far to the right.
  expect(help.split("\n").filter((line) => /^ {12,}\S/.test(line))).toEqual([]);
  expect(help).not.toContain("__complete");
});
