/** What `plan` and `apply` send: lockstep.yaml as read with its user's rights, and the words that were given. */
import { z } from "zod";
import { LockstepError } from "../../core/errors.ts";
import type { Operations } from "../../protocol/api.ts";
import type { CallOf } from "../../protocol/api-operation.ts";
import type { ConfigProblem } from "../../protocol/config-problem.ts";
import type { Cli } from "./cli.ts";
import { type Filled, idOf } from "./config-file/fill-in.ts";
import { formatProblem } from "./config-file/located.ts";
import { locateProblems, type ReadConfig, readConfig } from "./config-file/read-config.ts";
import type { GivenReference } from "./config-file/references.ts";
import { userInput } from "./user-input.ts";

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
  /** Destinations that were never applied are asked too, with what the file refers to. */
  readonly askNew?: boolean;
}

export interface PlanRequest {
  readonly request: CallOf<Operations["plan"]>["body"];
  readonly source: ReadConfig;
  /** Credentials that the request holds. */
  readonly sent: readonly GivenReference[];
  /** What could not be read here, although its destination is known. */
  readonly unread: Filled["unread"];
}

/**
 * What `plan` sends. The server tells first which destinations were applied; what belongs to others is neither read nor
 * sent, so that a file that somebody proposes cannot take along what its reader has.
 */
export async function readPlanRequest(
  cli: Cli,
  options: ConfigOptions,
  { lenient }: { readonly lenient: boolean },
): Promise<PlanRequest> {
  const source = await readConfig(options.file ?? [], { ...cli.surroundings, input: userInput(cli) });
  const body = requestOf(source.config, options);
  if (options.askNew === true) {
    const { config, sent, unread } = await source.resolve(() => true);
    return { request: { ...body, config, askNew: true }, source, sent, unread };
  }
  if (source.credentials.length === 0) return { request: body, source, sent: [], unread: [] };
  const api = await cli.api();
  const { known } = await withLines(source, () =>
    api.call("knownDestinations", { body: { config: source.config } }),
  );
  const origins = new Map(known.map(({ path, origin }) => [idOf(path), origin]));
  const { config, sent, unread } = await source.resolve(
    ({ holder }, value) => {
      const origin = origins.get(idOf(holder));
      return origin === null || (origin !== undefined && originOf(value) === origin);
    },
    { isWanted: ({ holder }) => origins.has(idOf(holder)), lenient },
  );
  return { request: { ...body, config }, source, sent, unread };
}

/** What `apply` sends when a person has agreed: everything. */
export async function withEverything(
  source: ReadConfig,
  request: PlanRequest["request"],
): Promise<PlanRequest["request"]> {
  return { ...request, config: (await source.resolve(() => true)).config };
}

function requestOf(config: ReadConfig["config"], options: ConfigOptions): PlanRequest["request"] {
  const { takeOver, prune, allowShrink, duringRollout } = options;
  return {
    config,
    ...(takeOver === undefined ? {} : { takeOver: takeOver === true ? ("all" as const) : [...takeOver] }),
    ...(prune === true ? { prune } : {}),
    ...(allowShrink === true ? { allowShrink } : {}),
    ...(duringRollout === true ? { duringRollout } : {}),
  };
}

function originOf(value: string): string | null {
  return URL.canParse(value) ? new URL(value).origin : null;
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
