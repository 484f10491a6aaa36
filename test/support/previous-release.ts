/**
 * The release before this one, taken from git and bundled: the newest release tag below the commit that is tested, or the
 * commit that `test/upgrade/previous-release` names where there is no tag yet.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bundleRelease, type ReleaseParts } from "./bundled-release.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MODULES = join(ROOT, "node_modules");
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

export interface BuiltRelease {
  /** The path of its `main.js`. */
  readonly main: string;
  /** Packages that it was made with in another version than the one it gets here. */
  readonly otherPackages: readonly string[];
}

/** In `directory`, which is made. Its packages are ours: throws where one is missing. */
export async function buildPreviousRelease(
  { commit, name }: PreviousRelease,
  directory: string,
  changed: ReleaseParts["changed"] = {},
): Promise<BuiltRelease> {
  const root = join(directory, "tree");
  await mkdir(root, { recursive: true, mode: 0o755 });
  await unpack(commit, root);
  const { dependencies } = await readPackage(join(root, "package.json"));
  const otherPackages: string[] = [];
  for (const [dependency, wanted] of Object.entries(dependencies)) {
    const { version } = await readPackage(join(MODULES, dependency, "package.json")).catch(() => {
      throw new Error(
        `release ${name} needs the package ${dependency}@${wanted}, which is not installed here`,
      );
    });
    if (version !== wanted) otherPackages.push(`${dependency} ${version} in place of ${wanted}`);
  }
  return { main: await bundleIn(root, join(directory, "lockstep"), changed), otherPackages };
}

/** This release, made in the same way; the path of its `main.js`. */
export async function buildThisRelease(
  directory: string,
  changed: ReleaseParts["changed"] = {},
): Promise<string> {
  return await bundleIn(ROOT, directory, changed);
}

async function bundleIn(root: string, home: string, changed: ReleaseParts["changed"] = {}): Promise<string> {
  const sources = join(root, "src");
  await bundleRelease({ sources, entries: ["main.ts"], root, modules: MODULES, changed }, home);
  return join(home, "dist", "main.js");
}

async function readPackage(
  path: string,
): Promise<{ readonly version: string; readonly dependencies: Readonly<Record<string, string>> }> {
  return JSON.parse(await readFile(path, "utf8"));
}

/** What a release is made of; no checkout, so that nothing in the repository changes. */
async function unpack(commit: string, directory: string): Promise<void> {
  const archive = spawn("git", ["archive", commit, "src", "migrations", "package.json"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const tar = spawn("tar", ["-x", "-C", directory], { stdio: ["pipe", "ignore", "ignore"] });
  archive.stdout.pipe(tar.stdin);
  const [code] = await once(tar, "close");
  if (code !== 0 || (await readdir(directory)).length !== 3)
    throw new Error(`cannot take ${commit} out of git: tar ended with ${String(code)}`);
}
