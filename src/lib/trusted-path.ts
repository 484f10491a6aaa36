/**
 * Whether nobody but root and one user can have chosen what stands at a path: each directory on the way, each link, and
 * the file. Who may write one of them exchanges what is below it, however well that is guarded itself.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { dirname, isAbsolute, join, parse } from "node:path";
import { shellQuote } from "./shell-quote.ts";

export interface TrustRules {
  /** Who, other than root, may own and write it. */
  readonly uid: number;
  /**
   * In a sticky directory others can make files, and cannot exchange ours. Enough for a file that is read under one name;
   * not for what is run, or says what may be: there a name that is missing today is somebody else's tomorrow.
   */
  readonly sticky: boolean;
}

export type Trust =
  | { readonly ok: true; readonly path: string; readonly stats: Stats }
  /** `path` is missing, and nothing on the way to it is wrong. */
  | { readonly ok: null }
  | { readonly ok: false; readonly why: string; readonly remedy: string };

const MAX_LINKS = 32;
const MAX_INTERPRETERS = 4;
const SHEBANG_BYTES = 512;

/** The file itself included; links are followed, each hop judged. `path` must be absolute. */
export function judgePath(path: string, rules: TrustRules): Trust {
  let rest = partsOf(path);
  let at = parse(path).root;
  let links = 0;
  let stats = lstatSync(at);
  const root = judgeOne(at, stats, rules, null);
  if (root !== null) return root;
  while (rest.length > 0) {
    const [part = "", ...below] = rest;
    if (part === "..") {
      at = dirname(at);
      rest = below;
      continue;
    }
    const next = join(at, part);
    const found = lstatSync(next, { throwIfNoEntry: false });
    const parent = judgeOne(at, lstatSync(at), rules, found ?? null);
    if (parent !== null) return parent;
    if (found === undefined) return { ok: null };
    if (found.isSymbolicLink()) {
      links += 1;
      if (links > MAX_LINKS) return refused(`${next} is a link that leads nowhere`, "Name the file itself.");
      const own = judgeOwner(next, found, rules);
      if (own !== null) return own;
      const to = readlinkSync(next);
      if (isAbsolute(to)) at = parse(to).root;
      rest = [...partsOf(to), ...below];
      continue;
    }
    at = next;
    stats = found;
    rest = below;
  }
  const last = judgeOne(at, stats, rules, null);
  return last ?? { ok: true, path: at, stats };
}

/**
 * A program that may be run: a file that is judged as above and may be executed; of a script its interpreter too. To be
 * asked right before each start. `path` in the answer is where it really stands.
 */
export function judgeProgram(path: string, rules: TrustRules): Trust {
  return judgeProgramAt(path, rules, 0);
}

function judgeProgramAt(path: string, rules: TrustRules, depth: number): Trust {
  if (!isAbsolute(path))
    return refused(`${path} is not an absolute path`, "Name the program by its absolute path.");
  const judged = judgePath(path, rules);
  if (judged.ok !== true) return judged;
  if (!judged.stats.isFile()) return refused(`${path} is not a file`, "Name the program itself.");
  const interpreter = interpreterOf(judged.path, judged.stats);
  if (interpreter === null) return judged;
  if (interpreter === "exchanged")
    return refused(`${path} was exchanged while it was looked at`, "Look at who changes it, and try again.");
  if (depth === MAX_INTERPRETERS)
    return refused(`${path} has too many interpreters`, "Name a program of its own.");
  if (/^(?:.*\/)?env(?: |$)/.test(interpreter)) {
    return refused(
      `${path} leaves the choice of its interpreter to env`,
      "Begin the script with the interpreter's absolute path: #!/usr/bin/python3, for example.",
    );
  }
  const [program = ""] = interpreter.split(/[ \t]/);
  const through = judgeProgramAt(program, rules, depth + 1);
  if (through.ok === true) return judged;
  if (through.ok === null)
    return refused(`${program}, the interpreter of ${path}, does not exist`, "Install it.");
  return refused(`its interpreter: ${through.why}`, through.remedy);
}

/** The rest of a `#!` line; null: it has none, or may only be executed. */
function interpreterOf(path: string, judged: Stats): string | "exchanged" | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // Not readable to us: the kernel runs no script that it could not read for us either.
    return (error as NodeJS.ErrnoException).code === "ELOOP" ? "exchanged" : null;
  }
  try {
    const { dev, ino } = fstatSync(file);
    if (dev !== judged.dev || ino !== judged.ino) return "exchanged";
    const buffer = Buffer.alloc(SHEBANG_BYTES);
    const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, SHEBANG_BYTES, 0));
    return text.startsWith("#!") ? (/^#![ \t]*([^\n]*)/.exec(text)?.[1]?.trim() ?? "") : null;
  } finally {
    closeSync(file);
  }
}

/** `inside`: what stands in this directory under the name that is looked for. */
function judgeOne(path: string, stats: Stats, rules: TrustRules, inside: Stats | null): Trust | null {
  const own = judgeOwner(path, stats, rules);
  if (own !== null) return own;
  if ((stats.mode & 0o022) === 0) return null;
  const holdsOurs = inside !== null && (inside.uid === 0 || inside.uid === rules.uid);
  if (rules.sticky && stats.isDirectory() && (stats.mode & 0o1000) !== 0 && (holdsOurs || inside === null))
    return null;
  return refused(
    `others than its owner may write ${path}`,
    `Take the right away: chmod go-w ${shellQuote(path)}, or put the file elsewhere.`,
  );
}

function judgeOwner(path: string, { uid }: Stats, rules: TrustRules): Trust | null {
  if (uid === 0 || uid === rules.uid) return null;
  return refused(
    `${path} belongs to the user with id ${uid}`,
    `Give it to root or to the user that reads it: chown ${rules.uid} ${shellQuote(path)}`,
  );
}

function refused(why: string, remedy: string): Trust {
  return { ok: false, why, remedy };
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
