/**
 * The data directory of the embedded Postgres: `cluster/data`, and beside it the password of its only user. Both
 * appear together, by one rename, so that a crash or a race while they are made leaves nothing half.
 */
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { lifeAsText, lifeOfProcess, livingProcessIn } from "../../../lib/process-life.ts";
import type { Binaries } from "./binaries.ts";
import { POSTGRES_MAJOR } from "./digests.ts";
import { type RunAs, runProgram } from "./run.ts";

export interface Cluster {
  readonly dataDirectory: string;
  readonly passwordFile: string;
}

export const USER = "lockstep";

const UNFINISHED = "cluster.new-";

function clusterIn(directory: string): Cluster {
  const root = join(directory, "cluster");
  return { dataDirectory: join(root, "data"), passwordFile: join(root, "password") };
}

/** The major version that made the cluster; null when there is none yet. */
async function madeBy({ dataDirectory }: Cluster): Promise<string | null> {
  return readFile(join(dataDirectory, "PG_VERSION"), "utf8").then(
    (text) => text.trim(),
    () => null,
  );
}

/** Makes the cluster once. `log` is a file descriptor for initdb's words. */
export async function ensureCluster(
  directory: string,
  as: RunAs,
  binaries: Binaries,
  log: number,
): Promise<Cluster> {
  const cluster = clusterIn(directory);
  const version = (await madeBy(cluster)) ?? (await makeCluster(directory, cluster, as, binaries, log));
  if (version !== POSTGRES_MAJOR) {
    throw new LockstepError(
      "STORE_SCHEMA",
      `Cannot start the embedded Postgres: its data was made by Postgres ${version}, and this release brings ${POSTGRES_MAJOR}.`,
      { hint: "Start the release that made it, take a backup, and restore it with this one." },
    );
  }
  return cluster;
}

export async function readPassword({ passwordFile }: Cluster): Promise<string> {
  const text = await readFile(passwordFile, "utf8").catch(() => "");
  if (text.trim() !== "") return text.trim();
  throw new LockstepError(
    "STORE_UNAVAILABLE",
    "Cannot open the embedded Postgres: its password file is missing.",
    {
      hint: "Restore the file `password` in the data directory.",
      details: { passwordFile },
    },
  );
}

async function makeCluster(
  directory: string,
  cluster: Cluster,
  as: RunAs,
  binaries: Binaries,
  log: number,
): Promise<string> {
  await removeUnfinished(directory);
  const root = join(directory, `${UNFINISHED}${await ownName()}-${randomBytes(4).toString("hex")}`);
  const data = join(root, "data");
  const password = join(root, "password");
  await mkdir(root, { mode: 0o700 });
  await writeFile(password, `${randomBytes(32).toString("base64url")}\n`, {
    mode: 0o600,
    flag: "wx",
    flush: true,
  });
  if (as.owner !== null) {
    for (const path of [root, password]) await chown(path, as.owner.uid, as.owner.gid);
  }
  const exitCode = await runProgram(
    as,
    [
      binaries.initdb,
      `--pgdata=${data}`,
      `--username=${USER}`,
      `--pwfile=${password}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--no-locale",
      "--no-instructions",
    ],
    log,
  );
  if (exitCode !== 0) {
    await rm(root, { recursive: true, force: true });
    throw new LockstepError("STORE_UNAVAILABLE", "Cannot make the embedded Postgres: initdb failed.", {
      hint: "See postgres.log in the data directory. Its user needs a name (/etc/passwd), and the disk room.",
      details: { directory, exitCode },
    });
  }
  // Fails when another process was faster and its cluster stands there: then that one is used.
  await rename(root, join(directory, "cluster")).catch(() => rm(root, { recursive: true, force: true }));
  return (await madeBy(cluster)) ?? "nothing";
}

/** This life of this process, as it stands in a file's name. */
async function ownName(): Promise<string> {
  const life = await lifeOfProcess(process.pid);
  return life === null ? `${process.pid} unknown` : lifeAsText(life);
}

/**
 * What a killed process left. Living ones are named by their process and its start, and kept: the number alone may be
 * another process's by now.
 */
async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(UNFINISHED)) continue;
    const life = name.slice(UNFINISHED.length).replace(/-[0-9a-f]{8}$/, "");
    if ((await livingProcessIn(life)) !== null) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}
