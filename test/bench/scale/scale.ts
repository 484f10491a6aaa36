/**
 * What a worker costs that has nothing to do: statements and rows read per minute, by the size of the store; and how long
 * it takes to notice one place that drifted, beside reading everything.
 */
import pg, { type Pool, type PoolClient } from "pg";
import type { StoreConnection } from "../../../src/adapters/store/pool.ts";
import { watchFindings } from "../../../src/app/alerts/watch-findings.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { gatherFacts } from "../../../src/app/status/gather-facts.ts";
import { judgeChanged } from "../../../src/app/status/judge-changed.ts";
import { readRecorded } from "../../../src/app/status/recorded.ts";
import { diagnose } from "../../../src/core/doctor/diagnose.ts";
import { startWorker } from "../../../src/edges/worker/worker.ts";
import { pause } from "../../../src/lib/pause.ts";
import { createLoopKit } from "../../support/loop-kit.ts";
import type { Bench } from "../support/bench.ts";
import { round } from "../support/numbers.ts";
import { startCluster } from "../support/open-database.ts";

const PLACES_EACH = 50;
const QUICK = [10, 1_000];
const FULL = [10, 1_000, 500_000];
const REPEATS = 5;
/** As many as the pool has. */
const CONNECTIONS = 5;

type Size = {
  readonly bindings: number;
  readonly judgedSeconds: number;
  readonly statementsPerMinute: number;
  readonly rowsPerMinute: number;
  readonly noticedMs: number;
  readonly readAllMs: number;
  readonly ratio: number;
};

export const bench: Bench = {
  about: "what an idle worker reads, and how soon it notices drift, by the size of the store",
  async run({ quick, signal, say, cleanUp }) {
    const watchedMs = quick ? 5_000 : 60_000;
    const sizes: Size[] = [];
    const openDatabase = await startCluster(cleanUp);
    for (const bindings of quick ? QUICK : FULL) {
      signal.throwIfAborted();
      const database = await openDatabase(`scale_${bindings}`);
      const { context } = createLoopKit(database);
      await fill(database.connection, bindings);
      const judgedMs = await timed(() => judgeAll(context));
      say(`${bindings} bindings judged in ${round(judgedMs / 1_000, 1)} s`);
      const idle = await costOf(database.pool, watchedMs, { context, signal, say });
      const noticedMs = await drift(database.pool, context);
      const readAllMs = await best(async () => void diagnose(await everything(context)));
      sizes.push({
        bindings,
        judgedSeconds: round(judgedMs / 1_000, 1),
        statementsPerMinute: round(idle.statements * (60_000 / watchedMs), 0),
        rowsPerMinute: round(idle.rows * (60_000 / watchedMs), 0),
        noticedMs: round(noticedMs, 1),
        readAllMs: round(readAllMs, 1),
        ratio: round(readAllMs / noticedMs, 1),
      });
    }
    return {
      result: { placesEach: PLACES_EACH, sizes },
      tables: [
        {
          title: "one worker with nothing to do, and one place that drifts",
          head: [
            "bindings",
            "judged, s",
            "statements/min",
            "rows/min",
            "noticed, ms",
            "reading all, ms",
            "ratio",
          ],
          rows: sizes.map((size) => [
            size.bindings,
            size.judgedSeconds,
            size.statementsPerMinute,
            size.rowsPerMinute,
            size.noticedMs,
            size.readAllMs,
            size.ratio,
          ]),
        },
      ],
      conditions: [
        `each secret at ${PLACES_EACH} places; every place holds what it should; no place is due to be looked at`,
        "embedded PostgreSQL on the same machine, one connection at a time",
      ],
      limits: ["the first judgement of a whole store: Postgres reading each binding with its joins"],
    };
  },
};

/** As they are after everything was pushed and looked at. */
async function fill(connection: StoreConnection, bindings: number): Promise<void> {
  const secrets = Math.ceil(bindings / PLACES_EACH);
  const targets = Math.min(bindings, Math.max(PLACES_EACH, Math.ceil(secrets / 10)));
  // The pool's own connections end a statement after a while.
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    await client.query("insert into environment (name) values ('production')");
    await client.query(
      `insert into target (environment_id, name, kind, config, destination, next_check_at, checked_at)
       select e.id, 'place-' || n, 'memory', '{}', 'memory:' || n, now() + interval '1 day', now()
       from environment e, generate_series(0, $1::int - 1) n`,
      [targets],
    );
    await client.query(
      `insert into secret (environment_id, name) select e.id, 'SECRET_' || n
       from environment e, generate_series(0, $1::int - 1) n`,
      [secrets],
    );
    await client.query(
      `insert into secret_version (secret_id, version, state, value_sealed, fingerprint, created_by)
       select id, 1, 'current', 'sealed', id::text, 'bench' from secret`,
    );
    // A secret's places are beside each other in the row of targets, which ends where it begins.
    await client.query(
      `insert into binding (secret_id, target_id, key, fallback_key, role, settled, settled_at, evidence)
       select s.id, t.id, s.name, s.name || '_F', 'both', '{"primary": 1}', now() - interval '1 hour', 'running'
       from (select id, name, row_number() over (order by name) - 1 as n from secret) s
         cross join generate_series(0, $2::int - 1) at
         join (select id, row_number() over (order by name) - 1 as n from target) t
           on t.n = (s.n * 7 + at) % $1 limit $3`,
      [targets, Math.min(PLACES_EACH, bindings), bindings],
    );
    await client.query(
      `insert into observation (binding_id, slot, found, version, first_seen_at)
       select id, 'primary', 'version', 1, now() from binding`,
    );
    // As a migration leaves it: each secret and target is owed one.
    await client.query("truncate judgement_owed");
    await client.query("insert into judgement_owed (kind, subject_id) select 'secret', id from secret");
    await client.query("insert into judgement_owed (kind, subject_id) select 'target', id from target");
    await client.query("analyze");
  } finally {
    await client.end();
  }
}

async function judgeAll(context: AppContext): Promise<void> {
  do await judgeChanged(context);
  while (await context.store.read.judgements.isOwed());
}

/** What a worker reads that finds nothing to do. */
async function costOf(
  pool: Pool,
  watchedMs: number,
  {
    context,
    signal,
    say,
  }: { readonly context: AppContext; readonly signal: AbortSignal; say(line: string): void },
): Promise<{ readonly statements: number; readonly rows: number }> {
  const counter = countStatements(pool);
  const before = await rowsRead(pool);
  counter.statements = 0;
  const worker = await startWorker(context, { concurrency: 4 });
  await pause(watchedMs, signal);
  await worker.close();
  const { statements } = counter;
  const after = await rowsRead(pool);
  const byTable = [...after].map(([table, rows]) => [table, rows - (before.get(table) ?? 0)] as const);
  const most = byTable.toSorted((left, right) => right[1] - left[1]).slice(0, 5);
  say(`  rows read: ${most.map(([table, rows]) => `${table} ${rows}`).join(", ")}`);
  return { statements, rows: byTable.reduce((sum, [, rows]) => sum + rows, 0) };
}

/** Of every connection that is taken from the pool from now on. */
function countStatements(pool: Pool): { statements: number } {
  const counter = { statements: 0 };
  const known = new WeakSet<PoolClient>();
  const connect = pool.connect.bind(pool) as (told?: unknown) => Promise<PoolClient>;
  const counting = async (told?: unknown): Promise<PoolClient> => {
    // The pool's own `query` asks in this way; only the bench uses it.
    if (told !== undefined) return connect(told);
    const client = await connect();
    if (known.has(client)) return client;
    known.add(client);
    const query = client.query.bind(client) as (...given: readonly unknown[]) => unknown;
    const counted = (...given: readonly unknown[]): unknown => {
      counter.statements += 1;
      return query(...given);
    };
    Object.assign(client, { query: counted });
    return client;
  };
  Object.assign(pool, { connect: counting });
  return counter;
}

/** By table, since the cluster began; what each connection still keeps to itself is told first. */
async function rowsRead(pool: Pool): Promise<ReadonlyMap<string, number>> {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  for (const client of clients) await client.query("select pg_stat_force_next_flush()");
  for (const client of clients) client.release();
  const { rows } = await pool.query<{ table: string; rows: number }>(
    `select relname as table, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::float8 as rows
     from pg_stat_user_tables`,
  );
  return new Map(rows.map(({ table, rows: read }) => [table, read]));
}

/** One place is seen to hold something else: until it is an alert, as a watch finds it. */
async function drift(pool: Pool, context: AppContext): Promise<number> {
  let round = 0;
  return await best(async () => {
    await watchFindings(context);
    round += 1;
    await pool.query(
      `update observation set found = 'unknown', version = null, observed_at = now()
       where binding_id = (select id from binding order by key, id offset $1 limit 1)`,
      [round],
    );
    return await timed(async () => {
      await watchFindings(context);
    });
  });
}

/** What every watch read before. */
async function everything(context: AppContext) {
  const recorded = await readRecorded(context, undefined);
  return await gatherFacts(context, recorded, {
    failures: new Map(),
    adoptions: new Map(),
    queueAway: false,
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The quickest of several; what the work itself measured, where it did. */
async function best(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < REPEATS; round += 1) {
    const began = performance.now();
    const measured = await work();
    times.push(typeof measured === "number" ? measured : performance.now() - began);
  }
  return Math.min(...times);
}
