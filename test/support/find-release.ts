/**
 * The release before this one, in git: the newest release tag below the commit that is tested, or the commit that
 * `test/upgrade/previous-release` names where there is no tag yet. `build-release.ts` makes programs of it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const NAMED = join(ROOT, "test/upgrade/previous-release");
const TAG = /^v\d+\.\d+\.\d+$/;

export interface PreviousRelease {
  /** A tag, or the beginning of a commit. */
  readonly name: string;
  readonly commit: string;
  /** The newest that it knows: how many migrations it has. */
  readonly schema: number;
}

/** Null where git or the commit is not there, as in a shallow clone. Once per process: the account asks again. */
export function findPreviousRelease(): PreviousRelease | null {
  if (found === undefined) found = look();
  return found;
}
let found: PreviousRelease | null | undefined;

/** False in a shallow clone, and in a copy without its history. */
export function isHistoryWhole(): boolean {
  try {
    return git("rev-parse", "--is-shallow-repository") === "false";
  } catch {
    return false;
  }
}

/** What the named commit's schema is, also where its text is not at hand. */
export function previousSchema(): number {
  return findPreviousRelease()?.schema ?? named().schema;
}

function look(): PreviousRelease | null {
  try {
    const tag = git("tag", "--list", "--merged", "HEAD", "--no-contains", "HEAD", "--sort=-version:refname")
      .split("\n")
      .find((one) => TAG.test(one));
    const commit = git("rev-parse", "--verify", `${tag ?? named().commit}^{commit}`);
    // Of a commit that a shallow clone left out only the name is known.
    git("cat-file", "-e", `${commit}:src/main.ts`);
    const files = git("ls-tree", "--name-only", commit, "migrations/").split("\n");
    const schema = files.filter((file) => file.endsWith(".sql")).length;
    return { name: tag ?? commit.slice(0, 7), commit, schema };
  } catch {
    return null;
  }
}

function named(): { readonly commit: string; readonly schema: number } {
  const [commit = "", schema = ""] =
    readFileSync(NAMED, "utf8")
      .split("\n")
      .find((line) => /^[0-9a-f]{40} \d+$/.test(line))
      ?.split(" ") ?? [];
  if (commit === "") throw new Error(`${NAMED} names no commit with the number of its migrations`);
  return { commit, schema: Number(schema) };
}

function git(...words: readonly string[]): string {
  return execFileSync("git", words, {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}
