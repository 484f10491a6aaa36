/** How long `migrate` takes from the previous release's schema to this one's, and whom its locks keep waiting. */
import pg from "pg";
import { loadMigrations } from "../../../src/adapters/store/migration-files.ts";
import { migrate } from "../../../src/adapters/store/migrator.ts";
import { SILENT, startTestCluster, withAdmin } from "../../support/database-clusters.ts";
import { previousSchema } from "../../support/find-release.ts";
import { lacks } from "../../support/servers.ts";
import type { Bench } from "../support/bench.ts";
import { round } from "../support/numbers.ts";
import { fillStore } from "./filled-store.ts";
import { readBeside, watchLocks, workBeside } from "./worker-beside.ts";

const BINDINGS = 50_000;
const QUICK_BINDINGS = 2_000;
/** As on a server that is meant to keep its data. */
const SETTINGS = { fsync: "on", shared_buffers: "1GB", max_wal_size: "8GB" };
const MIB = 1_048_576;

export const bench: Bench = {
  about: "how long a migration takes, and how long its locks keep a worker waiting",
  async run({ quick, signal, say, cleanUp }) {
    const bindings = quick ? QUICK_BINDINGS : bindingsOf(process.env["BENCH_BINDINGS"]);
    const kind = lacks("postgres") ? "embedded" : "postgres";
    const cluster = await startTestCluster(kind, SETTINGS);
    cleanUp(() => cluster.stop());
    await withAdmin(cluster.connection, (admin) =>
      admin.query("create database migration template template0"),
    );
    const connection = { ...cluster.connection, database: "migration" };
    const client = new pg.Client(connection);
    await client.connect();
    cleanUp(() => client.end());

    const all = loadMigrations();
    const from = Math.min(previousSchema(), all.length);
    await migrate(connection, SILENT, all.slice(0, from));
    const filled = await fillStore(client, bindings, (line) => {
      signal.throwIfAborted();
      say(line);
    });
    const storeMiB = await sizeMiB(client);

    const worker = await workBeside(connection, filled.targets);
    const reader = await readBeside(connection, filled.targets);
    await Promise.all([worker.began, reader.began]);
    const locksHeld = await watchLocks(connection);
    const walFrom = await walPosition(client);
    const files: { name: string; seconds: number }[] = [];
    // One after the other, as `migrate` does it: each in a transaction of its own.
    for (let count = from + 1; count <= all.length; count += 1) {
      const began = performance.now();
      await migrate(connection, SILENT, all.slice(0, count));
      files.push({
        name: all[count - 1]?.name ?? "",
        seconds: round((performance.now() - began) / 1_000, 2),
      });
      say(`${files.at(-1)?.name}: ${files.at(-1)?.seconds} s`);
      signal.throwIfAborted();
    }
    const walMiB = round(((await walPosition(client)) - walFrom) / MIB, 1);
    const locks = await locksHeld.stop();
    const waited = [...(await worker.stop()), ...(await reader.stop())];
    const failed = waited.flatMap(({ what, failed }) => failed.map((why) => `${what}: ${why}`));
    if (failed.length > 0) throw new Error(`the previous release's work failed meanwhile: ${failed[0]}`);

    const seconds = round(
      files.reduce((sum, file) => sum + file.seconds, 0),
      2,
    );
    const longestBlockedMs = Math.round(Math.max(...waited.map(({ longestMs }) => longestMs)));
    return {
      result: {
        bindings,
        fromSchema: from,
        toSchema: all.length,
        seconds,
        longestBlockedMs,
        walMiB,
        storeMiB,
        storeAfterMiB: await sizeMiB(client),
        files,
        locks: locks.map(({ table, mode, heldMs }) => ({ table, mode, heldMs })),
        waits: waited.map(({ what, times, longestMs }) => ({
          what,
          times,
          longestMs: Math.round(longestMs),
        })),
      },
      tables: [
        {
          title: `From schema ${from} to ${all.length}, ${bindings} bindings, ${filled.observations} looks`,
          head: ["migration", "seconds"],
          rows: files.map(({ name, seconds }) => [name, seconds]),
        },
        {
          title: "Locks that keep others waiting",
          head: ["table", "lock", "held ms"],
          rows: locks.map(({ table, mode, heldMs }) => [table, mode, heldMs]),
        },
        {
          title: "A worker and a reader beside it",
          head: ["statement", "times", "longest ms"],
          rows: waited.map(({ what, times, longestMs }) => [what, times, Math.round(longestMs)]),
        },
      ],
      conditions: [
        `${kind === "postgres" ? "the machine's own PostgreSQL" : "embedded PostgreSQL"}, fsync on, shared_buffers 1 GiB, max_wal_size 8 GiB; ${storeMiB} MiB before`,
        `${filled.targets} targets, ${filled.secrets} secrets, ${filled.pushes} pushes, all settled`,
        "beside it one connection writes and one reads, without a pause; a statement of either ends after 30 s, as a worker's does",
      ],
      limits: [
        `the longest wait of either was ${longestBlockedMs} ms; ${walMiB} MiB were written ahead (WAL), which a standby must take too`,
      ],
    };
  },
};

function bindingsOf(told: string | undefined): number {
  if (told === undefined) return BINDINGS;
  const count = Number(told);
  if (!Number.isInteger(count) || count < 10)
    throw new Error(`BENCH_BINDINGS=${told}: give a whole number from 10 up`);
  return count;
}

async function walPosition(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    "select pg_current_wal_insert_lsn() - '0/0' as bytes",
  );
  return Number(rows[0]?.bytes ?? 0);
}

async function sizeMiB(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    "select pg_database_size(current_database()) as bytes",
  );
  return round(Number(rows[0]?.bytes ?? 0) / MIB, 0);
}
