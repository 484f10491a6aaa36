/**
 * What goes on while a migration runs: another connection does what a worker does all the time, a third reads what `status`
 * reads, and a fourth looks at the locks that the migration holds.
 */
import pg from "pg";
import type { StoreConnection } from "../../../src/adapters/store/pool.ts";

/** What a worker's session allows a statement. */
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCKS_EVERY_MS = 10;

export interface Waited {
  readonly what: string;
  readonly times: number;
  readonly longestMs: number;
  /** What kept it, if it failed: statements of a worker end after 30 s. */
  readonly failed: readonly string[];
}

export interface HeldLock {
  readonly table: string;
  readonly mode: string;
  readonly heldMs: number;
}

interface Statement {
  readonly what: string;
  readonly sql: string;
}

/** Each of another target, in turn. */
const PICKED = "(select id from target order by id offset $1 limit 1)";
const WORK: readonly Statement[] = [
  {
    what: "record a push",
    sql: `with target as (select * from target where id = ${PICKED}), pushed as (insert into push
        (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at, ended_at)
        select id, 1, generation + 1, 1, 1, '{}', 'd', 'succeeded', now(), now() from target returning id, target_id)
      insert into push_item (push_id, ordinal, binding_id, secret_id, placement, key, slot, version, action)
      select pushed.id, row_number() over (), b.id, b.secret_id, '', b.key, 'primary', 3, 'set'
      from pushed join binding b using (target_id) where b.removed_at is null`,
  },
  {
    what: "settle bindings",
    sql: `update binding set settled = '{"primary": 3, "fallback": null}', settled_at = now()
      where target_id = ${PICKED} and removed_at is null`,
  },
  {
    what: "lease a target",
    sql: `update target set lease_token = lease_token + 1, generation = generation + 1,
      settled_generation = settled_generation + 1 where id = ${PICKED}`,
  },
  // As the previous release does it; the migrations must let it.
  {
    what: "record what is seen",
    sql: `insert into observation (binding_id, slot, found, version)
      select id, 'primary', 'version', 3 from binding where target_id = ${PICKED} and removed_at is null`,
  },
];
const READS: readonly Statement[] = [
  {
    what: "read states",
    sql: `select b.id, o.found, o.version from binding b join secret s on s.id = b.secret_id
      left join lateral (select * from observation o where o.binding_id = b.id and o.slot = 'primary' order by id desc limit 1) o on true
      where b.target_id = ${PICKED} and b.removed_at is null`,
  },
];

/** Of a connection that has begun to work: `stop` ends it and tells. */
export interface Beside {
  /** When each statement was done once. */
  readonly began: Promise<void>;
  stop(): Promise<readonly Waited[]>;
}

export async function workBeside(connection: StoreConnection, targets: number): Promise<Beside> {
  return await repeat(connection, WORK, targets);
}

export async function readBeside(connection: StoreConnection, targets: number): Promise<Beside> {
  return await repeat(connection, READS, targets);
}

async function repeat(
  connection: StoreConnection,
  statements: readonly Statement[],
  targets: number,
): Promise<Beside> {
  const client = new pg.Client({ ...connection, statement_timeout: STATEMENT_TIMEOUT_MS });
  await client.connect();
  const found = statements.map(({ what }) => ({ what, times: 0, longestMs: 0, failed: [] as string[] }));
  let isOver = false;
  let tell: () => void = () => undefined;
  const began = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const work = (async () => {
    for (let round = 0; !isOver; round += 1) {
      for (const [index, { sql }] of statements.entries()) {
        const one = found[index];
        if (one === undefined) continue;
        const from = performance.now();
        await client.query(sql, [(round * 7) % Math.min(targets, 100)]).catch((error: unknown) => {
          one.failed.push(error instanceof Error ? error.message : String(error));
        });
        one.times += 1;
        one.longestMs = Math.max(one.longestMs, performance.now() - from);
      }
      if (round === 0) tell();
    }
  })();
  return {
    began,
    async stop() {
      isOver = true;
      await work;
      await client.end();
      return found;
    },
  };
}

/** Locks on tables that make others wait, held by who names itself as the migrator does; how long at most at a stretch. */
export async function watchLocks(
  connection: StoreConnection,
): Promise<{ stop(): Promise<readonly HeldLock[]> }> {
  const client = new pg.Client(connection);
  await client.connect();
  const held = new Map<
    string,
    { readonly lock: Omit<HeldLock, "heldMs">; from: number; longestMs: number }
  >();
  const stopping = new AbortController();
  const watching = (async () => {
    let before = new Set<string>();
    while (!stopping.signal.aborted) {
      const { rows } = await client.query<{ table: string; mode: string; transaction: string }>(`
        select c.relname as table, l.mode, l.virtualtransaction as transaction from pg_locks l
          join pg_stat_activity a on a.pid = l.pid and a.application_name = 'lockstep migrate'
          join pg_class c on c.oid = l.relation and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
        where l.granted and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`);
      const now = performance.now();
      const seen = new Set<string>();
      for (const { table, mode, transaction } of rows) {
        const name = `${transaction} ${table} ${mode}`;
        const one = held.get(name) ?? { lock: { table, mode }, from: now, longestMs: 0 };
        if (!before.has(name)) one.from = now;
        one.longestMs = Math.max(one.longestMs, now - one.from);
        held.set(name, one);
        seen.add(name);
      }
      before = seen;
      await new Promise((resolve) => setTimeout(resolve, LOCKS_EVERY_MS));
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await watching;
      await client.end();
      return [...held.values()]
        .map(({ lock, longestMs }) => ({ ...lock, heldMs: Math.round(longestMs) }))
        .sort((left, right) => right.heldMs - left.heldMs);
    },
  };
}
