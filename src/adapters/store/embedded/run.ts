/** Short-lived helpers (initdb, checks), with a bounded life, nothing on stdin and an allow-listed environment. */
import { spawn } from "node:child_process";

/** Whose rights a program gets: `prefix` is put before its command line; uid and gid only when Node itself drops to them. */
export interface RunAs {
  readonly kind: "self" | "user-namespace" | "nobody" | "nobody-with-capability";
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
  /** Who must own the files, as seen from outside; null for whoever we are. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

/** Nothing of ours, and no PG* of the user's, reaches a child. */
export const CHILD_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
  TZ: "UTC",
};

const TIMEOUT_MS = 60_000;

/** The exit code; null when it could not be started or did not end in time. `log` is a file descriptor for its words. */
export function runProgram(as: RunAs, argv: readonly string[], log?: number): Promise<number | null> {
  const [program = "", ...rest] = [...as.prefix, ...argv];
  return new Promise((resolve) => {
    const child = spawn(program, rest, {
      cwd: "/",
      env: CHILD_ENVIRONMENT,
      stdio: ["ignore", log ?? "ignore", log ?? "ignore"],
      timeout: TIMEOUT_MS,
      killSignal: "SIGKILL",
      ...(as.uid === undefined ? {} : { uid: as.uid }),
      ...(as.gid === undefined ? {} : { gid: as.gid }),
    });
    child.once("error", () => resolve(null));
    child.once("close", (code) => resolve(code));
  });
}
