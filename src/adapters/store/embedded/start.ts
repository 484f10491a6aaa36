/**
 * The embedded Postgres: the store of a Lockstep that was given none.
 *
 * Promises: it serves exactly one Lockstep process (STORE_IN_USE for a second one), ends with that process however
 * it ends, survives every kind of kill, listens on a private socket only, and comes back by itself when it dies
 * under a living Lockstep. Leaves to others: the schema (`../migrator.ts`), backups;
 * the ways down from root are in `run-as.ts`, what an earlier life left behind in `clear-way.ts`.
 */
import { chmod, type FileHandle, mkdir, open, rename, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/ports/logger.ts";
import type { StoreConnection } from "../pool.ts";
import { type Binaries, findBinaries, prepareBinaries } from "./binaries.ts";
import { ensureCluster } from "./cluster.ts";
import { type RunAs, runProgram } from "./run.ts";
import { chooseRunAs, type RunAsKind } from "./run-as.ts";
import { superviseServer } from "./supervisor.ts";

export interface EmbeddedPostgresOptions {
  /** Used by the embedded Postgres alone; made 0700 when missing. Root may give it to the user `nobody`. */
  readonly directory: string;
  readonly log: Logger;
  /** Limits how root steps down; all ways by default. */
  readonly runAs?: readonly RunAsKind[];
}

export interface EmbeddedPostgres {
  /** For pools and the migrator. Holds the password: never logged. */
  readonly connection: StoreConnection;
  /** Of the guard that the server runs under now; for tests and doctor. */
  readonly runAs: RunAsKind;
  /** Fast shutdown; repeating is harmless. Close the pools first. */
  stop(): Promise<void>;
}

const MAX_LOG_BYTES = 4_000_000;

/**
 * Throws UNSUPPORTED when this machine cannot run it (the remedy names DATABASE_URL), STORE_IN_USE when another
 * Lockstep has the directory, SETTING_INVALID for an unusable directory, STORE_UNAVAILABLE when it does not come up.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { log } = options;
  const directory = resolve(options.directory);
  const native = await findBinaries();
  await makeDirectory(directory);
  const runAs = await chooseRunAs(directory, options.runAs);
  const binaries = await chooseBinaries(native, directory, runAs);
  const logFile = await openLog(directory);
  try {
    const supervised = await superviseServer({
      directory,
      runAs,
      binaries,
      prepare: () => ensureCluster(directory, runAs, binaries, logFile.fd),
      logFile: logFile.fd,
      log,
    });
    return {
      connection: supervised.connection,
      runAs: runAs.kind,
      stop: async () => {
        await supervised.stop();
        await logFile.close().catch(() => undefined);
      },
    };
  } catch (error) {
    await logFile.close().catch(() => undefined);
    throw error;
  }
}

/** In place where they run there, otherwise as a copy in our directory. */
async function chooseBinaries(native: string, directory: string, runAs: RunAs): Promise<Binaries> {
  for (const mustCopy of [false, true]) {
    const binaries = await prepareBinaries(native, directory, mustCopy);
    if ((await runProgram(runAs, [binaries.postgres, "--version"])) === 0) return binaries;
  }
  throw new LockstepError(
    "UNSUPPORTED",
    "Cannot start the embedded Postgres: its programs do not run on this system.",
    {
      hint: "They need glibc (not musl) and a directory that allows execution; otherwise set DATABASE_URL.",
      details: { directory },
    },
  );
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700);
  } catch {
    throw new LockstepError(
      "SETTING_INVALID",
      "Cannot start the embedded Postgres: its directory cannot be made ours.",
      {
        hint: "Check owner and rights of LOCKSTEP_DATA.",
        details: { directory },
      },
    );
  }
}

/** One older file is kept. */
async function openLog(directory: string): Promise<FileHandle> {
  const path = join(directory, "postgres.log");
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_LOG_BYTES) await rename(path, `${path}.1`);
  return open(path, "a", 0o600);
}
