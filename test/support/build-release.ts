/** The program of a release, bundled: of the one before this as git has it, and of this one in the same way. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bundleRelease, type ReleaseParts } from "./bundled-release.ts";
import type { PreviousRelease } from "./find-release.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MODULES = join(ROOT, "node_modules");

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
