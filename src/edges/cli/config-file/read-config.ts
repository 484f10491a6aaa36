/**
 * Reads lockstep.yaml (or several files) with its user's rights and answers the structured configuration that travels
 * to the server. Promises: every error is told, each with file, line, column, the path in words and a remedy; no
 * error quotes a value; a file that is empty or cannot be read never becomes an empty configuration; what references
 * name is read when it is asked for, credential by credential (`resolve`), and not before.
 *
 * What a target's own keys mean is left to the server; `locate` finds the line for what it answers.
 */
import { LockstepError } from "../../../core/errors.ts";
import { checkConfig } from "../../../core/plan/check-config.ts";
import { textOf, UnreadableFile } from "../../../lib/user-file.ts";
import { type Config, configSchema } from "../../../protocol/config.ts";
import {
  type ConfigPath,
  type ConfigProblem,
  problemsOf,
  wordIssue,
} from "../../../protocol/config-problem.ts";
import { filesOf } from "../user-input.ts";
import { type Assembled, assemble } from "./assemble.ts";
import { type Filled, fillIn } from "./fill-in.ts";
import { formatProblem, type LocatedProblem, type Location, locateProblem } from "./located.ts";
import {
  findReferences,
  type GivenReference,
  type Reference,
  type References,
  type Surroundings,
} from "./references.ts";
import { parseYaml, type YamlSource } from "./yaml-source.ts";

export const DEFAULT_CONFIG_FILE = "lockstep.yaml";

const MAX_CONFIG_BYTES = 1024 * 1024;

export interface ReadConfig {
  /** With a mark in place of each reference. */
  readonly config: Config;
  /** What is referred to, in the order of the file. */
  readonly credentials: readonly GivenReference[];
  /**
   * The configuration with the credentials of the chosen targets and channels; the others' marks stay. Those that
   * cannot be read, or are not what may stand there, are refused as CONFIG_INVALID with their lines; with `lenient` the
   * unreadable ones keep a mark and are told in `unread`.
   */
  resolve(
    isChosen: (credential: GivenReference, value: string) => boolean,
    options?: { readonly isWanted?: (credential: GivenReference) => boolean; readonly lenient?: boolean },
  ): Promise<Filled>;
  /** Where a part of the configuration was written: for problems that the server answers. */
  locate(path: ConfigPath): Location;
}

/**
 * Throws CONFIG_UNREADABLE for a file that cannot be read at all, otherwise CONFIG_INVALID with every problem in
 * `details.problems` (LocatedProblem) and in the message.
 */
export async function readConfig(files: readonly string[], surroundings: Surroundings): Promise<ReadConfig> {
  const names = files.length === 0 ? [DEFAULT_CONFIG_FILE] : [...new Set(files)];
  const texts = await Promise.all(names.map((file) => readText(file, surroundings)));
  const sources = names.map((file, index) => parseYaml(file, texts[index] ?? ""));

  const problems: LocatedProblem[] = sources.flatMap((source) => source.problems);
  const references = new Map<unknown, Reference>();
  const marked = sources
    .filter((source) => source.value !== null || source.problems.length === 0)
    .map((source): YamlSource => {
      const found = findReferences(source.value, source.file);
      problems.push(...found.problems.map((problem) => locateProblem(problem, source.locate(problem.path))));
      for (const [mark, reference] of found.references) references.set(mark, reference);
      return { ...source, value: found.value };
    });
  const assembled = assemble(marked);
  problems.push(...assembled.problems);
  const whole = marked.length === sources.length;
  const { config, found } = validate(assembled.raw, { whole });
  // What is refused as written counts as absent; its absence is not told on top.
  const told = new Set(problems.map(positionOf));
  problems.push(...locateProblems(found, assembled).filter((problem) => !told.has(positionOf(problem))));
  if (problems.length > 0 || config === null) throw invalid(problems);
  const locate = (path: ConfigPath) => assembled.locate(path);
  const credentials = credentialsOf(assembled.raw, references);
  return {
    config,
    credentials,
    locate,
    resolve: async (isChosen, { isWanted = () => true, lenient = false } = {}) => {
      const filled = await fillIn(config, credentials.filter(isWanted), { surroundings, isChosen, lenient });
      const refused = [...filled.problems, ...validate(filled.config, { whole }).found];
      if (refused.length > 0) throw invalid(locateProblems(refused, { locate }));
      return filled;
    },
  };
}

/** Marks are known by themselves, so that nothing that somebody writes can pass for one. */
function credentialsOf(raw: unknown, references: References): readonly GivenReference[] {
  const found: GivenReference[] = [];
  const walk = (node: unknown, path: ConfigPath): void => {
    if (typeof node !== "object" || node === null) return;
    const reference = references.get(node);
    if (reference !== undefined)
      found.push({ path, holder: path.slice(0, path[0] === "alerts" ? 2 : 4), reference });
    else for (const [key, child] of Object.entries(node)) walk(child, [...path, key]);
  };
  walk(raw, []);
  return found;
}

/** Gives the server's problems (`details.problems` of CONFIG_INVALID) the lines that they are about. */
export function locateProblems(
  problems: readonly ConfigProblem[],
  source: { locate(path: ConfigPath): Location },
): readonly LocatedProblem[] {
  return problems.map((problem) => locateProblem(problem, source.locate(problem.path)));
}

function positionOf({ file, line, column }: Location): string {
  return `${file}:${line}:${column}`;
}

function validate(
  raw: unknown,
  { whole }: { readonly whole: boolean },
): {
  readonly config: Config | null;
  readonly found: readonly ConfigProblem[];
} {
  const parsed = configSchema.safeParse(raw, { error: wordIssue });
  if (parsed.success) return { config: parsed.data, found: whole ? checkConfig(parsed.data) : [] };
  const shape = problemsOf(parsed.error.issues);
  // What is well-formed is checked all the same, so that one run tells everything.
  const rest = configSchema.safeParse(without(raw as Raw, shape));
  // Names that a broken file may hold are not called missing.
  const meaning =
    rest.success && whole ? checkConfig(rest.data, { targets: namesOfTargets(raw as Raw) }) : [];
  return { config: null, found: [...shape, ...meaning] };
}

type Raw = Assembled["raw"];

function without(raw: Raw, problems: readonly ConfigProblem[]): unknown {
  const copy = structuredClone({ environments: raw.environments }) as {
    environments: Record<string, unknown>;
  };
  for (const { path } of problems) {
    const parents: Record<string, unknown>[] = [copy];
    // environments / name / secrets / NAME: the secret or target as a whole goes, or what stands above it.
    for (const part of path.slice(0, 4)) {
      const child = parents.at(-1)?.[String(part)];
      if (typeof child !== "object" || child === null) break;
      parents.push(child as Record<string, unknown>);
    }
    const depth = Math.min(path.length, 4, parents.length) - 1;
    delete parents[depth]?.[String(path[depth])];
  }
  return copy;
}

function namesOfTargets(raw: Raw): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(raw.environments).map(([name, environment]) => {
      const targets = (environment as { targets?: unknown } | null)?.targets;
      return [name, typeof targets === "object" && targets !== null ? Object.keys(targets) : []];
    }),
  );
}

async function readText(file: string, surroundings: Surroundings): Promise<string> {
  const input = surroundings.input ?? filesOf(surroundings.workingDirectory);
  try {
    const text = textOf(await input.read(file, MAX_CONFIG_BYTES));
    // UTF-16 without its mark is valid UTF-8, and another text than its writer sees.
    if (text.includes("\0")) throw new UnreadableFile("not-text");
    return text;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw unreadable(file, `it ${error.message}`);
  }
}

function unreadable(file: string, reason: string): LockstepError {
  return new LockstepError("CONFIG_UNREADABLE", `Cannot read the configuration file ${file}: ${reason}.`, {
    details: { file },
  });
}

function invalid(problems: readonly LocatedProblem[]): LockstepError {
  const sorted = [...problems].sort(
    (a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column,
  );
  const count = sorted.length === 1 ? "1 error" : `${sorted.length} errors`;
  const lines = sorted.map((problem) => `  ${formatProblem(problem)}`);
  return new LockstepError("CONFIG_INVALID", `The configuration has ${count}:\n${lines.join("\n")}`, {
    details: { problems: sorted },
    hint: "Nothing was sent. Correct the named lines and run it again.",
  });
}
