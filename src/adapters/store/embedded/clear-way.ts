/**
 * Before a server is started: is there one already, or what an earlier one left?
 *
 * pid file missing, or its process is gone ▸ the way is clear; Postgres itself deals with the file, after it has
 *                                            made sure that no process of the earlier life still has the memory
 * server answers and is owned              ▸ STORE_IN_USE
 * server answers and is not owned          ▸ another Lockstep has just started it, and takes it within a moment; if
 *                                            nobody does, it is an orphan whose guard was killed too: interrupt it
 * silent, a postgres of this directory     ▸ starting, or being stopped by its guard: wait
 * silent, the pid is somebody else's now   ▸ remove the file, which Postgres would believe for ever
 */
import { setTimeout as delay } from "node:timers/promises";
import { LockstepError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/ports/logger.ts";
import type { StoreConnection } from "../pool.ts";
import type { Cluster } from "./cluster.ts";
import { lookAtServer } from "./owner-lock.ts";
import { processState, readPostmasterFile, removeStale } from "./postmaster-pid.ts";
import { removeSocketDirectory, removeSocketLock } from "./socket-directory.ts";

const LOOK_EVERY_MS = 100;
/** Whoever starts a server owns it some milliseconds after its first answer. */
const ORPHAN_AFTER_MS = 3_000;
/** Beyond it a person must look. */
const DEADLINE_MS = 40_000;

export async function clearWay(
  cluster: Cluster,
  ownSocketDirectory: string,
  connectionVia: (socketDirectory: string) => StoreConnection,
  log: Logger,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  let unownedSince: number | null = null;
  for (;;) {
    const file = await readPostmasterFile(cluster.dataDirectory);
    if (file === null) return removeSocketLock(ownSocketDirectory);
    const seen =
      file.socketDirectory === "" ? "no-answer" : await lookAtServer(connectionVia(file.socketDirectory));
    if (seen === "owned" || performance.now() > deadline) throw inUse(file.pid);
    if (seen === "unowned") {
      unownedSince ??= performance.now();
      if (performance.now() - unownedSince > ORPHAN_AFTER_MS && (await interrupt(file.pid, cluster))) {
        log.warn("store.embedded.orphan-interrupted", { pid: file.pid });
        unownedSince = null;
      }
    } else {
      unownedSince = null;
      const state = await processState(file.pid, cluster.dataDirectory);
      if (state !== "serving") {
        await removeSocketDirectory(file.socketDirectory);
        if (state === "gone") return removeSocketLock(ownSocketDirectory);
        log.info("store.embedded.stale-pid-file-removed", { pid: file.pid });
        await removeStale(cluster.dataDirectory, file);
        continue;
      }
    }
    await delay(LOOK_EVERY_MS);
  }
}

/** SIGINT is Postgres's fast shutdown. */
async function interrupt(pid: number, cluster: Cluster): Promise<boolean> {
  if ((await processState(pid, cluster.dataDirectory)) !== "serving") return false;
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
