/**
 * `.env` files as dotenv, Node's `--env-file`, python-dotenv, docker compose and `sh` read them. They agree on little: a
 * value is written in the first form that all of them read right (dotenv-readers.ts), or the one that `reader` names. What
 * stands bare stays bare where that is safe, because `docker run --env-file` takes quotes for a part of the value.
 */
import { asSeen } from "../../../lib/hidden-text.ts";
import { agreedValue, type DotenvReader, textFor } from "./dotenv-readers.ts";
import { type DotenvAssignment, scanDotenv } from "./dotenv-source.ts";
import {
  assertText,
  assertVariableName,
  certain,
  type Format,
  keysOf,
  notRepresentable,
  readAssignments,
  type Scanned,
  writeAssignments,
} from "./format.ts";

const NAME = "dotenv";
/** No value: what holds a NUL is refused. */
const NO_VALUE = "\u0000";

export function dotenvFormatFor(reader?: DotenvReader): Format {
  const render = (key: string, value: string, standing?: DotenvAssignment) =>
    rendered(reader, key, value, standing !== undefined && isBare(standing.text));
  return {
    name: NAME,
    assertKey: (key) => assertVariableName(NAME, key),
    assertValue(key, value) {
      render(key, value);
    },
    read: (text, keys) =>
      readAssignments(
        valued(reader, scanDotenv(text, reader), (one) => one.value),
        keys,
      ),
    unclear(text, key) {
      const last = certain(scanDotenv(text, reader)).findLast((one) => one.key === key);
      if (last === undefined || agreed(reader, last) !== null) return null;
      return reader === undefined
        ? "programs that read such files differ about how it is written there; `reader` names the one that counts"
        : `${reader} expands a part of it, or does not read it as one value`;
    },
    keys: (text) => keysOf(scanDotenv(text, reader)),
    assignments: (text) => scanDotenv(text, reader).assignments,
    write(text, changes) {
      const writing = (mayBeBare: boolean) =>
        writeAssignments(
          text,
          valued(reader, scanDotenv(text ?? "", reader), () => NO_VALUE),
          changes,
          (key, value, standing) => render(key, value, mayBeBare ? standing : undefined),
        );
      const written = writing(true);
      // Some values are certain between quotes alone: above the lines that follow they would look like the first of many.
      const isCertain = scanDotenv(written, reader).assignments.every(
        ({ key, doubt }) => doubt === undefined || !changes.has(key),
      );
      return isCertain ? written : writing(false);
    },
  };
}

export const dotenvFormat = dotenvFormatFor();

/** `otherwise`: where nobody can say. For reading it is npm's value, and `unclear` tells that it is not to be relied on. */
function valued(
  reader: DotenvReader | undefined,
  { assignments, doubt }: Scanned<DotenvAssignment>,
  otherwise: (one: DotenvAssignment) => string,
): Scanned<DotenvAssignment> {
  return {
    assignments: assignments.map((one) => ({ ...one, value: agreed(reader, one) ?? otherwise(one) })),
    doubt,
  };
}

/** What stands between the key and the value decides as well: `KEY: value` is npm's alone, blanks are no shell's. */
function agreed(reader: DotenvReader | undefined, { separator, text }: DotenvAssignment): string | null {
  if (separator !== "=" && reader === "sh") return null;
  if (separator.endsWith(":") && reader !== "dotenv") return null;
  // Of what cannot be seen some readers drop a part.
  const bare = text.replaceAll(/^[ \t]+|[ \t]+$/g, "");
  if (asSeen(bare.slice(0, 1)) !== bare.slice(0, 1) || asSeen(bare.slice(-1)) !== bare.slice(-1)) return null;
  // Line ends of the file's own within quotes: all but shells read them as newlines.
  return agreedValue(reader, reader === "sh" ? text : text.replaceAll(/\r\n?/g, "\n"));
}

function isBare(text: string): boolean {
  return !/^[ \t]*['"`]/.test(text);
}

function rendered(reader: DotenvReader | undefined, key: string, value: string, bare: boolean): string {
  assertText(NAME, key, value, "\t\n");
  const text = textFor(reader, value, { bare });
  if (text !== null) return `${key}=${text}`;
  throw notRepresentable(
    NAME,
    key,
    reader === undefined
      ? "programs that read such files would not all read it alike, however it is quoted; name the one that does with `reader` (dotenv, node, python-dotenv, compose, sh), or choose another format"
      : `${reader} would not read it right, however it is quoted; choose another format, such as json or raw`,
  );
}
