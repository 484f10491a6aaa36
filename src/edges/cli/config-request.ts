/** What `plan` and `apply` send: lockstep.yaml as read with its user's rights, and the words that were given. */
import { z } from "zod";
import { LockstepError } from "../../core/errors.ts";
import type { Operations } from "../../protocol/api.ts";
import type { CallOf } from "../../protocol/api-operation.ts";
import type { ConfigProblem } from "../../protocol/config-problem.ts";
import type { Cli } from "./cli.ts";
import { formatProblem } from "./config-file/located.ts";
import { locateProblems, type ReadConfig, readConfig } from "./config-file/read-config.ts";

const configProblem = z.object({
  path: z.array(z.union([z.string(), z.number()])),
  message: z.string(),
  remedy: z.string(),
});

export interface ConfigOptions {
  readonly file?: readonly string[];
  /** `true`: everything. */
  readonly takeOver?: true | readonly string[];
  readonly prune?: boolean;
  readonly allowShrink?: boolean;
  readonly duringRollout?: boolean;
}

export async function readRequest(
  cli: Cli,
  options: ConfigOptions,
): Promise<{ readonly request: CallOf<Operations["plan"]>["body"]; readonly source: ReadConfig }> {
  const source = await readConfig(options.file ?? [], cli.surroundings);
  const { takeOver, prune, allowShrink, duringRollout } = options;
  const request = {
    config: source.config,
    ...(takeOver === undefined ? {} : { takeOver: takeOver === true ? ("all" as const) : [...takeOver] }),
    ...(prune === true ? { prune } : {}),
    ...(allowShrink === true ? { allowShrink } : {}),
    ...(duringRollout === true ? { duringRollout } : {}),
  };
  return { request, source };
}

/** The server knows paths; the file's lines are known here. */
export async function withLines<T>(source: ReadConfig, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    const problems = problemsOf(error);
    if (problems.length === 0) throw error;
    const located = locateProblems(problems, source);
    const lines = located.map((problem) => `  ${formatProblem(problem)}`);
    throw new LockstepError(error.code, `The configuration cannot be used:\n${lines.join("\n")}`, {
      details: { problems: located },
      hint: "Nothing was changed. Correct the named lines and run it again.",
    });
  }
}

function problemsOf(error: LockstepError): readonly ConfigProblem[] {
  const parsed = z.array(configProblem).safeParse(error.details["problems"]);
  return parsed.success ? parsed.data : [];
}
