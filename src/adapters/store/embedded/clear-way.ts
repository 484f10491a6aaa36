/**
 * Before a server is started: is there one already, or what an earlier one left?
 *
 * pid file missing                 ▸ the way is clear
 * server answers and is owned      ▸ STORE_IN_USE
 * server is unowned or silent, but its process is a postgres of this directory
 *                                  ▸ the guard of a killed Lockstep is stopping it, or another Lockstep is just
 *                                    starting it: wait; after the patience is over interrupt what nobody owns
 * no such process                  ▸ remove the pid file
 */
import { setTimeout as delay } from "node:timers/promises";
import { LockstepError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/ports/logger.ts";
import type { StoreConnection } from "../pool.ts";
import type { Cluster } from "./cluster.ts";
import { lookAtServer } from "./owner-lock.ts";
import { readPostmasterFile, removeStale, servesDirectory } from "./postmaster-pid.ts";
import { removeSocketDirectory } from "./socket-directory.ts";

const LOOK_EVERY_MS = 100;
/** A start takes the owner's lock within a second; a fast shutdown ends within a few. */
const PATIENCE_MS = 10_000;
/** Beyond it nothing is known to be wrong, but nothing moves either: a person must look. */
const DEADLINE_MS = 40_000;

export async function clearWay(
  cluster: Cluster,
  connectionVia: (socketDirectory: string) => StoreConnection,
  log: Logger,
): Promise<void> {
  const startedAt = performance.now();
  let interrupted = false;
  for (;;) {
    const file = await readPostmasterFile(cluster.dataDirectory);
    if (file === null) return;
    const seen =
      file.socketDirectory === "" ? "no-answer" : await lookAtServer(connectionVia(file.socketDirectory));
    if (seen === "owned") throw inUse(file.pid);
    if (seen === "no-answer" && !(await servesDirectory(file.pid, cluster.dataDirectory))) {
      log.info("store.embedded.stale-pid-file-removed", { pid: file.pid });
      await removeStale(cluster.dataDirectory, file);
      await removeSocketDirectory(file.socketDirectory);
      continue;
    }
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > DEADLINE_MS) throw inUse(file.pid);
    if (waitedMs > PATIENCE_MS && seen === "unowned" && !interrupted) {
      // Answers, owned by nobody, and no guard has stopped it: its guard was killed too.
      log.warn("store.embedded.orphan-interrupted", { pid: file.pid });
      interrupted = await interrupt(file.pid, cluster);
    }
    await delay(LOOK_EVERY_MS);
  }
}

/** SIGINT is Postgres's fast shutdown. */
async function interrupt(pid: number, cluster: Cluster): Promise<boolean> {
  if (!(await servesDirectory(pid, cluster.dataDirectory))) return false;
  try {
    return process.kill(pid, "SIGINT");
  } catch {
    return false;
  }
}

export function inUse(pid: number | null): LockstepError {
  return new LockstepError(
    "STORE_IN_USE",
    "Cannot start the embedded Postgres: another Lockstep uses this data directory.",
    pid === null ? {} : { details: { postgresPid: pid } },
  );
}
