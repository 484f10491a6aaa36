/** Parts that the scripts for bash and zsh share: questions about the tree, as shell functions over `case`. */
import type { CompletedCommand, Values } from "./model.ts";

/** A word in single quotes: nothing in it is expanded, in any shell of the Bourne family. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What stands for `Values` inside the scripts; the empty text: takes no value. */
export function valueWord(values: Values): string {
  switch (values.kind) {
    case "words":
      return `words ${values.words.join(" ")}`;
    case "names":
      return `names ${values.of}`;
    default:
      return values.kind;
  }
}

/** `_lockstep_value COMMAND OPTION` and `_lockstep_argument COMMAND INDEX`. */
export function valueFunctions(commands: readonly CompletedCommand[]): readonly string[] {
  const options = commands.flatMap(({ path, options: own }) =>
    own.flatMap(({ short, long, value }) =>
      value === null
        ? []
        : [
            {
              patterns: [short, long]
                .filter((flag) => flag !== null)
                .map((flag) => `${path.join(" ")} ${flag}`),
              word: valueWord(value),
            },
          ],
    ),
  );
  const places = commands.flatMap(({ path, values }) =>
    values.map((value, index) => ({ patterns: [`${path.join(" ")} ${index}`], word: valueWord(value) })),
  );
  return [...caseFunction("_lockstep_value", options), "", ...caseFunction("_lockstep_argument", places)];
}

function caseFunction(
  name: string,
  cases: readonly { readonly patterns: readonly string[]; readonly word: string }[],
): readonly string[] {
  return [
    `${name}() {`,
    `  case "$1 $2" in`,
    ...cases.map(
      ({ patterns, word }) => `    ${patterns.map(singleQuoted).join("|")}) echo ${singleQuoted(word)} ;;`,
    ),
    "  esac",
    "}",
  ];
}
