/** Hints between processes over a real Postgres, whole and while it goes away. */
import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { createPostgresHints, type HintsConnection } from "../../src/adapters/hints/postgres-hints.ts";
import type { AgentHints, ToldTargets } from "../../src/core/ports/agent-hints.ts";
import { useDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";

const getDatabase = useDatabase();
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function createHints(connection: HintsConnection = getDatabase().connection): AgentHints {
  const hints = createPostgresHints(connection, SILENT);
  open.push(hints);
  return hints;
}

/** What was heard, and a way to wait for it. */
function listenTo(hints: AgentHints) {
  const heard: ToldTargets[] = [];
  const waiting = new Set<() => void>();
  hints.listen((told) => {
    heard.push(told);
    for (const look of waiting) look();
  });
  const until = (reached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!reached()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const alls = (): number => heard.filter((told) => told === "all").length;
  const ids = (): readonly string[] => heard.flatMap((told) => (told === "all" ? [] : told));
  return { heard, until, alls, ids, ready: () => until(() => alls() === 1) };
}

async function throughProxy(): Promise<{ readonly proxy: FaultProxy; readonly connection: HintsConnection }> {
  const { host = "", port = 5432, ...rest } = getDatabase().connection;
  const proxy = await startFaultProxy(`${host}/.s.PGSQL.${port}`);
  open.push({ close: () => proxy.stop() });
  return { proxy, connection: { ...rest, host: "127.0.0.1", port: proxy.port } };
}

test("what one process tells, every process that listens hears, itself too", async () => {
  const teller = createHints();
  const [here, there] = [listenTo(teller), listenTo(createHints())];
  await Promise.all([here.ready(), there.ready()]);
  const id = randomUUID();
  teller.tell([id]);
  await Promise.all([here, there].map(({ until, ids }) => until(() => ids().includes(id))));
});

test("ten thousand targets arrive, each once, in payloads that Postgres takes", async () => {
  const listener = listenTo(createHints());
  await listener.ready();
  const told = Array.from({ length: 10_000 }, () => randomUUID());
  const teller = createHints();
  teller.tell(told);
  teller.tell(told.slice(0, 100));
  await listener.until(() => listener.ids().length >= told.length);
  expect([...listener.ids()].sort()).toEqual([...told].sort());
});

test("what somebody else notifies is dropped unless it looks like ids", async () => {
  const listener = listenTo(createHints());
  await listener.ready();
  const id = randomUUID();
  await getDatabase().pool.query("select pg_notify('lockstep_agents', $1)", [`all,<script>,${id},`]);
  await listener.until(() => listener.ids().length > 0);
  expect(listener.heard).toEqual(["all", [id]]);
});

test("who has stopped listening hears nothing more", async () => {
  const hints = createHints();
  let count = 0;
  const stop = hints.listen(() => {
    count += 1;
  });
  const other = listenTo(hints);
  await other.ready();
  const before = count;
  stop();
  hints.tell([randomUUID()]);
  await other.until(() => other.ids().length === 1);
  expect(count).toBe(before);
});

describe("after the connection was cut", () => {
  test("it comes back by itself, everybody is told once, and hints flow again", async () => {
    const listener = listenTo(createHints());
    const teller = createHints();
    await listener.ready();
    teller.tell([randomUUID()]);
    await listener.until(() => listener.ids().length === 1);
    await getDatabase().pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockstep-hints' and datname = current_database()",
    );
    const id = randomUUID();
    teller.tell([id]);
    await listener.until(() => listener.alls() === 2);
    teller.tell([id]);
    await listener.until(() => listener.ids().includes(id));
    expect(listener.alls()).toBe(2);
  });

  test("what was told meanwhile is told afterwards", async () => {
    const { proxy, connection } = await throughProxy();
    const teller = createHints(connection);
    const listener = listenTo(createHints());
    await listener.ready();
    teller.tell([randomUUID()]);
    await listener.until(() => listener.ids().length === 1);
    proxy.cut();
    const told = Array.from({ length: 3 }, () => randomUUID());
    for (const id of told) teller.tell([id]);
    await listener.until(() => told.every((id) => listener.ids().includes(id)));
  });
});

test("closing while Postgres is silent does not hang", async () => {
  const { proxy, connection } = await throughProxy();
  const hints = createPostgresHints(connection, SILENT);
  await listenTo(hints).ready();
  proxy.silence("to-server", "to-client");
  hints.tell([randomUUID()]);
  const begun = performance.now();
  await hints.close();
  expect(performance.now() - begun).toBeLessThan(4_000);
});
