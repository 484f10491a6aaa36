/**
 * Gets answers: from the options that were given, otherwise from a person, otherwise (in a script, with --yes) from the
 * default. What has none of them is a usage error that names the option, so that a script never waits for anybody.
 */
import type { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import { listed, problemsOf, wordIssue } from "../../../protocol/config-problem.ts";
import type { Cli } from "../cli.ts";
import { promptHidden, promptLine } from "../prompt.ts";

/** Answers what is wrong with a text, in words, or null. */
export type Check = (text: string) => string | null;

export interface Question {
  /** For example `--ssh-host`. */
  readonly option: string;
  readonly text: string;
  readonly given?: string | undefined;
  readonly fallback?: string | undefined;
  readonly check?: Check;
}

export interface Choice {
  readonly value: string;
  /** What a person reads; the value unless told. */
  readonly label?: string;
}

const MAX_TRIES = 5;

export class Asker {
  readonly cli: Cli;
  /** A person can be asked. */
  readonly interactive: boolean;

  constructor(cli: Cli, interactive: boolean) {
    this.cli = cli;
    this.interactive = interactive;
  }

  async text({ option, text, given, fallback, check = () => null }: Question): Promise<string> {
    const named = given ?? (this.interactive ? undefined : fallback);
    if (named !== undefined) return this.#accept(option, named, check);
    if (!this.interactive) throw missing(option);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const shown = fallback === undefined || fallback === "" ? "" : ` [${fallback}]`;
      const typed = (await promptLine(this.cli, `${text}${shown}: `)).trim();
      const answer = typed === "" && fallback !== undefined ? fallback : typed;
      const problem = answer === "" && fallback !== "" ? "It needs an answer." : check(answer);
      if (problem === null) return answer;
      this.cli.output.note(`  ${problem}`);
    }
    throw gaveUp(option);
  }

  /** One of a list: by number, or by value. */
  async choice(question: Omit<Question, "check">, choices: readonly Choice[]): Promise<string> {
    const pick = (text: string): string | null => findChoice(text, choices);
    const asks = this.interactive && question.given === undefined;
    if (asks) this.list(question.text, choices);
    const answer = await this.text({
      ...question,
      ...(asks ? { text: "  Choose" } : {}),
      check: (text) => (pick(text) === null ? `Choose ${choicesText(choices)}.` : null),
    });
    return pick(answer) ?? answer;
  }

  /** Several of a list: numbers or values with commas between, or `all`. */
  async several(
    question: Omit<Question, "check" | "given">,
    choices: readonly Choice[],
  ): Promise<readonly string[]> {
    if (this.interactive) this.list(question.text, choices);
    const parts = (text: string): readonly (string | null)[] =>
      text === "all"
        ? choices.map(({ value }) => value)
        : text.split(/[\s,]+/).map((part) => findChoice(part, choices));
    const answer = await this.text({
      ...question,
      text: "  Choose (numbers with commas between, or all)",
      check: (text) => (parts(text).includes(null) ? `Choose ${choicesText(choices)}, or all.` : null),
    });
    return [...new Set(parts(answer).filter((part) => part !== null))];
  }

  async confirm(text: string, fallback: boolean): Promise<boolean> {
    if (!this.interactive) return fallback;
    const typed = (await promptLine(this.cli, `${text} ${fallback ? "[Y/n]" : "[y/N]"} `)).trim();
    return typed === "" ? fallback : /^y(?:es)?$/i.test(typed);
  }

  /** A credential: from the environment, otherwise typed without echo. `asked`: whoever runs it must still set it. */
  async credential(
    variable: string,
    text: string,
  ): Promise<{ readonly value: string; readonly asked: boolean }> {
    const known = this.cli.surroundings.env[variable];
    if (known !== undefined && known !== "") return { value: known, asked: false };
    if (!this.interactive) {
      throw new LockstepError("USAGE", `Cannot go on: the environment variable ${variable} is not set.`, {
        hint: `Set ${variable} where you run lockstep; credentials are never taken from the command line.`,
      });
    }
    const typed = (await promptHidden(this.cli, `${text} (not shown): `)).trim();
    if (typed === "") throw new LockstepError("USAGE", "Nothing was done: no credential was typed.");
    return { value: typed, asked: true };
  }

  /** What a failed check means: another try by a person, the end for a script. */
  async againAfter(error: unknown, question: string): Promise<void> {
    if (!(error instanceof LockstepError) || !this.interactive || error.code === "USAGE") throw error;
    this.cli.output.note(`  ${error.message}\n  ${error.hint}`);
    if (!(await this.confirm(question, true))) throw error;
  }

  #accept(option: string, text: string, check: Check): string {
    const problem = check(text);
    if (problem === null) return text;
    throw new LockstepError("USAGE", `Cannot use ${option}: ${problem}`, {
      hint: "See `lockstep init --help`.",
    });
  }

  /** A question with what there is to choose from; numbers are what a person types. */
  list(text: string, choices: readonly Choice[]): void {
    this.cli.output.note(text);
    const width = String(choices.length).length;
    for (const [index, { value, label }] of choices.entries()) {
      this.cli.output.note(`  ${String(index + 1).padStart(width)}  ${label ?? value}`);
    }
  }
}

/** A check by the schema that `plan` will use. */
export function checkedBy(schema: z.ZodType): Check {
  return (text) => {
    const parsed = schema.safeParse(text, { error: wordIssue });
    if (parsed.success) return null;
    const [problem] = problemsOf(parsed.error.issues);
    return `It ${problem?.message ?? "cannot be used"}. ${problem?.remedy ?? ""}`.trim();
  };
}

function findChoice(text: string, choices: readonly Choice[]): string | null {
  const byValue = choices.find(({ value }) => value === text) ?? choices.find(({ label }) => label === text);
  if (byValue !== undefined) return byValue.value;
  return /^\d{1,4}$/.test(text) ? (choices[Number(text) - 1]?.value ?? null) : null;
}

const MAX_NAMED = 8;

function choicesText(choices: readonly Choice[]): string {
  if (choices.length > MAX_NAMED) return `a number from 1 to ${choices.length}`;
  // What stands before the colon names it; the rest explains.
  const names = choices.map(({ value, label }) => (label ?? value).split(": ")[0] ?? value);
  return listed(names, "or");
}

function missing(option: string): LockstepError {
  return new LockstepError("USAGE", `Cannot go on without an answer: ${option} is missing.`, {
    hint: "See `lockstep init --help`; on a terminal, without --yes, it asks.",
  });
}

function gaveUp(option: string): LockstepError {
  return new LockstepError("USAGE", `Nothing was done: there was no usable answer for ${option}.`);
}
