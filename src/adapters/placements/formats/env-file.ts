/**
 * Files for `docker run --env-file`, podman's, and `kubectl create --from-env-file`: a line is `KEY=VALUE`, everything
 * behind the `=` is the value, quotes and blanks included; `#` begins a remark at a line's start alone; nothing is expanded,
 * and nothing can hold a line break (docker/cli pkg/kvfile, kubectl pkg/cmd/util/env_file.go, podman pkg/env).
 *
 * Their releases differ at the edges: some of docker's take a pair of quotes away, some of podman's read as npm's dotenv
 * does. Without a named reader a value must be read alike by all of them.
 */
import type { LockstepError } from "../../../core/errors.ts";
import { asSeen } from "../../../lib/hidden-text.ts";
import {
  beginsBlock,
  broken,
  continued,
  endOfText,
  HAS_INVISIBLE,
  isBase64Tail,
  isEncodedRest,
  lookalike,
  notText,
} from "./doubts.ts";
import {
  type Assignment,
  assertText,
  assertVariableName,
  certain,
  type Format,
  keysOf,
  notReadable,
  notRepresentable,
  readAssignments,
  type Scanned,
  writeAssignments,
} from "./format.ts";

const NAME = "env-file";
export const ENV_FILE_READERS = ["docker", "podman", "kubectl"] as const;
export type EnvFileReader = (typeof ENV_FILE_READERS)[number];

/** Go's bufio.MaxScanTokenSize, with room for the line's end. */
const MAX_LINE_BYTES = 64 * 1024 - 2;
const MARK = "\uFEFF";

/** Why a reader may get something else than what stands behind the `=`; null: it gets exactly that. */
const TROUBLES: Readonly<Record<EnvFileReader, (value: string) => string | null>> = {
  docker: (value) =>
    /^(['"]).*\1$/.test(value) && value.length > 1 ? "docker's newer releases take such quotes away" : null,
  podman: (value) =>
    /#|^[ \t]|[ \t]$|^['"`]/.test(value)
      ? "some of podman's releases take a `#` for a remark, and quotes and blanks at the edge away"
      : null,
  kubectl: () => null,
};

export function envFileFormatFor(reader?: EnvFileReader): Format {
  const readers = reader === undefined ? ENV_FILE_READERS : [reader];
  const trouble = (value: string) =>
    readers.map((one) => TROUBLES[one](value)).find((one) => one !== null) ?? null;
  const scan = (text: string) => assignmentsIn(text, readers);
  const render = (key: string, value: string) => {
    assertText(NAME, key, value, "\t");
    const why = trouble(value);
    if (why !== null)
      throw notRepresentable(
        NAME,
        key,
        reader === undefined
          ? `${why}; name the one that counts with \`reader\` (docker, podman, kubectl)`
          : why,
      );
    const line = `${key}=${value}`;
    if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
    throw notRepresentable(NAME, key, "its line would be longer than the 64 KiB that its readers take");
  };
  return {
    name: NAME,
    assertKey: (key) => assertVariableName(NAME, key),
    assertValue(key, value) {
      if (value.includes("\n"))
        throw notRepresentable(NAME, key, "a line is all that its readers take, and it has several");
      if (value === "=" || beginsBlock(value))
        throw notRepresentable(NAME, key, "its line would look like a piece of a longer text");
      render(key, value);
    },
    read: (text, keys) => readAssignments(scan(text), keys),
    unclear(text, key) {
      const all = certain(scan(text)).filter((one) => one.key === key);
      if (all.length > 1 && readers.includes("kubectl"))
        return "it stands there more than once, for which kubectl refuses the whole file";
      return trouble(all.at(-1)?.value ?? "");
    },
    keys: (text) => keysOf(scan(text)),
    assignments: (text) => scan(text).assignments,
    write(text, changes) {
      const { rest, all } = withoutRepeated(text ?? "", scan, changes);
      return writeAssignments(text === null ? null : rest, all, changes, render);
    },
  };
}

export const envFileFormat = envFileFormatFor();

interface Found extends Assignment {
  doubt?: LockstepError;
}

function assignmentsIn(text: string, readers: readonly EnvFileReader[]): Scanned {
  const found: Found[] = [];
  const unusable = notText(NAME, text);
  if (unusable !== null) return { assignments: found, doubt: unusable };
  let start = text.startsWith(MARK) ? MARK.length : 0;
  /** Nothing but the line's end closes a value: what follows may belong to it. */
  let open: Found | null = null;
  for (const [index, whole] of text.slice(start).split("\n").entries()) {
    const line = whole.endsWith("\r") ? whole.slice(0, -1) : whole;
    const indent = line.length - line.trimStart().length;
    const content = line.slice(indent);
    const [, key = "", value] = /^([^=]*)=(.*)$/s.exec(content) ?? [];
    if (content !== "" && content[0] !== "#") {
      const isRest: boolean = open !== null && isRestOf(content, open.value);
      if (open !== null && isRest) open.doubt ??= continued(NAME, open.key, index + 1);
      assertReadable(content, index + 1, readers);
      const around = { before: `${line.slice(0, indent)}${key}=`, after: "" };
      const place = { start, end: start + line.length, around };
      if (value !== undefined) {
        const one: Found = { key, value, ...place, ...doubtOf({ key, value, content, isRest }, index + 1) };
        found.push(one);
        open = isRest ? open : one;
      }
      if (asSeen(key) !== key) {
        const doubt = lookalike(NAME, asSeen(key), index + 1, HAS_INVISIBLE);
        found.push({ key: asSeen(key), value: "", ...place, alike: true, doubt });
      }
    }
    start += whole.length + 1;
  }
  return { assignments: found, doubt: null };
}

function isRestOf(content: string, valueAbove: string): boolean {
  return isBase64Tail(content, valueAbove) || isEncodedRest(content, valueAbove);
}

function doubtOf(
  one: { readonly key: string; readonly value: string; readonly content: string; readonly isRest: boolean },
  line: number,
): Pick<Found, "doubt" | "alike"> {
  if (one.isRest || isBase64Tail(one.content, "")) return { alike: true, doubt: endOfText(NAME, line) };
  if (!beginsBlock(one.value)) return {};
  return {
    doubt: broken(NAME, one.key, line, "begins a block of several lines, which such a file cannot hold"),
  };
}

/** For one such line the reader takes nothing of the file. */
function assertReadable(line: string, number: number, readers: readonly EnvFileReader[]): void {
  const key = line.split("=", 1)[0] ?? "";
  const strict = readers.filter((reader) => reader !== "podman");
  if (key === "" || (/[ \t]/.test(key) && strict.length > 0))
    throw notReadable(
      NAME,
      `line ${number} has ${key === "" ? "no name" : "a blank in its name"}, for which ${key === "" ? readers.join(", ") : strict.join(" and ")} would refuse the whole file`,
    );
}

/** Of a key that is changed, one line stays: the last. */
function withoutRepeated(
  text: string,
  scan: (text: string) => Scanned,
  changes: ReadonlyMap<string, string | null>,
): { readonly rest: string; readonly all: Scanned } {
  const all = scan(text);
  const own = certain(all).filter(({ key }) => changes.has(key));
  for (const { doubt } of own) if (doubt !== undefined) throw doubt;
  const repeated = own.find(({ key }, index) => own.findLastIndex((one) => one.key === key) > index);
  if (repeated === undefined) return { rest: text, all };
  const rest = text.slice(0, repeated.start) + text.slice(text.indexOf("\n", repeated.end) + 1);
  return withoutRepeated(rest, scan, changes);
}
