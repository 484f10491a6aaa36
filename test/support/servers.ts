/**
 * Finds the real servers that suites start for themselves on loopback, and keeps the account of what a machine
 * lacks: a suite that needs a missing one is skipped, and the run's end prints why. With LOCKSTEP_TEST_REQUIRE_ALL=1
 * (CI) a missing server fails the run instead.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findPreviousRelease, isHistoryWhole } from "./find-release.ts";

/** Shells count among them, because completion is tried in the real ones, and the real readers of what we write. */
export const REAL_SERVERS = [
  "postgres",
  "redis",
  "sshd",
  "chromium",
  "bash",
  "zsh",
  "fish",
  "systemd-analyze",
  "python3",
  // The system's own Python with python-dotenv: how it reads what is written for it.
  "python-dotenv",
  "openclaw",
  // The right to mounts of one's own: on Linux root has it, unless a container takes it away.
  "mount-namespace",
  // The right to set attributes (`chattr`), and ACLs, where temporary files are.
  "file-attributes",
  "file-acls",
  "busybox",
  // The commit of the release before, in git: a shallow clone may lack it.
  "previous-release",
  // Prometheus' own reader of rules and of its configuration.
  "promtool",
] as const;
export type RealServer = (typeof REAL_SERVERS)[number];
type Tried =
  | "openclaw"
  | "python-dotenv"
  | "mount-namespace"
  | "file-attributes"
  | "file-acls"
  | "previous-release";

const HINTS: Readonly<Partial<Record<RealServer, string>>> = {
  "previous-release":
    ": git does not have the commit that test/upgrade/previous-release names. In a shallow clone: git fetch --unshallow --tags",
};

const EXTRA_DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/local/sbin", ...debianPostgres()];

const PROGRAMS: Readonly<Record<Exclude<RealServer, Tried>, readonly string[]>> = {
  postgres: ["postgres"],
  redis: ["redis-server"],
  sshd: ["sshd"],
  bash: ["bash"],
  zsh: ["zsh"],
  fish: ["fish"],
  "systemd-analyze": ["systemd-analyze"],
  python3: ["python3"],
  busybox: ["busybox"],
  promtool: ["promtool"],
  chromium: ["chromium", "chromium-browser", "google-chrome"],
};

/** Absolute path of the server's program, or null when this machine lacks it. */
export function findServer(server: RealServer): string | null {
  if (server === "openclaw") return findOpenclaw();
  if (server === "python-dotenv") return findPythonDotenv();
  if (server === "mount-namespace") return findMountNamespace();
  if (server === "file-attributes") return findByTrying(server, ["chattr", "+a"], ["chattr", "-a"]);
  if (server === "file-acls") return findByTrying(server, ["setfacl", "-m", "u:1:r"], ["setfacl", "-b"]);
  if (server === "previous-release") return findPreviousRelease()?.commit ?? null;
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), ...EXTRA_DIRECTORIES];
  for (const program of PROGRAMS[server]) {
    for (const directory of directories) {
      const path = join(directory, program);
      if (isAllowed(path, constants.X_OK)) return path;
    }
  }
  return null;
}

/** For `describe.skipIf(lacks("sshd"))`. */
export function lacks(server: RealServer): boolean {
  if (findServer(server) !== null) return false;
  // What a clone was made without, no package brings.
  if (server === "previous-release" && !isHistoryWhole()) return true;
  if (process.env["LOCKSTEP_TEST_REQUIRE_ALL"] === "1") {
    throw new Error(`${server} is required here, and was not found${HINTS[server] ?? ""}`);
  }
  return true;
}

/** Where `.ci/openclaw` has put it, besides the Node that it needs: too large for a dependency, and no server of a system. */
function findOpenclaw(): string | null {
  const entry = join(
    process.env["LOCKSTEP_TEST_OPENCLAW"] ?? "/nowhere",
    "node_modules",
    "openclaw",
    "openclaw.mjs",
  );
  return isAllowed(entry, constants.R_OK) ? entry : null;
}

const tried = new Map<RealServer, string | null>();

function findByTrying(server: RealServer, on: readonly string[], off: readonly string[]): string | null {
  const known = tried.get(server);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), "lockstep-try-"));
  const path = join(directory, "file");
  let found: string | null = null;
  try {
    writeFileSync(path, "");
    for (const [program = "", ...words] of [on, off])
      execFileSync(program, [...words, path], { stdio: "ignore" });
    found = on[0] ?? null;
  } catch {
    // The program, the right, or the file system is not there.
  }
  rmSync(directory, { recursive: true, force: true });
  tried.set(server, found);
  return found;
}

function findPythonDotenv(): string | null {
  const program = "/usr/bin/python3";
  const known = tried.get("python-dotenv");
  if (known !== undefined) return known;
  let found: string | null = null;
  try {
    execFileSync(program, ["-c", "import dotenv"], { stdio: "ignore" });
    found = program;
  } catch {
    // No Python there, or without the module.
  }
  tried.set("python-dotenv", found);
  return found;
}

/** Only trying tells. Once per process: the account asks again. */
function findMountNamespace(): string | null {
  if (mountNamespace === undefined) {
    try {
      const words = ["--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"];
      execFileSync("unshare", words, { stdio: "ignore" });
      mountNamespace = "/proc/self/ns/mnt";
    } catch {
      mountNamespace = null;
    }
  }
  return mountNamespace;
}
let mountNamespace: string | null | undefined;

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function debianPostgres(): string[] {
  const root = "/usr/lib/postgresql";
  try {
    return readdirSync(root).map((version) => join(root, version, "bin"));
  } catch {
    return [];
  }
}
