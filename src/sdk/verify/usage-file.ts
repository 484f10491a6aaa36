/**
 * Leaves the use counts in a file, for an agent on the same host: a service that listens to nobody can still be
 * counted. Every write answers a nonce of its own, so that the agent can tell which versions the ids mean.
 *
 * One file per process: of two that write to one path, the later wins.
 */
import { randomBytes } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import type { Verifier } from "./verifier.ts";

export interface UsageFileOptions {
  /** Told of a write that failed, each time. Default: a process warning. The next write tries again. */
  readonly onError?: (error: Error) => void;
}

export interface UsageFile {
  /** Writes once more, and stops. The file stays. */
  close(): void;
}

/**
 * Writes a UsageReport now, and then every `everyMs` milliseconds: complete before it is seen, readable by its owner
 * alone. Does not keep the process alive. Throws a TypeError unless `everyMs` is at least 1.
 */
export function writeUsageFile(
  verifier: Verifier,
  path: string,
  everyMs: number,
  { onError = (error) => process.emitWarning(error) }: UsageFileOptions = {},
): UsageFile {
  if (!(everyMs >= 1)) throw new TypeError("everyMs must be at least 1");
  function write(): void {
    const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      const report = verifier.usage({ nonce: randomBytes(32).toString("base64url") });
      // Exclusive: whatever stands there already, also a link, is not ours to write through.
      writeFileSync(draft, `${JSON.stringify(report)}\n`, { mode: 0o600, flag: "wx" });
      renameSync(draft, path);
    } catch (error) {
      rmSync(draft, { force: true });
      onError(error as Error);
    }
  }
  write();
  const timer = setInterval(write, everyMs).unref();
  return {
    close() {
      clearInterval(timer);
      write();
    },
  };
}
