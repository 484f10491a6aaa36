/** Notifications between processes over a real Postgres, whole and while it goes away. */
import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import {
  createPostgresAgentNotifier,
  type NotifierConnection,
} from "../../src/adapters/agent-notifier/postgres-agent-notifier.ts";
import type { AgentNotifier, NotifiedTargets } from "../../src/core/ports/agent-notifier.ts";
import { useDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";

const getDatabase = useDatabase();
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

function createNotifier(connection: NotifierConnection = getDatabase().connection): AgentNotifier {
  const notifier = createPostgresAgentNotifier(connection, SILENT);
  open.push(notifier);
  return notifier;
}

/** What was heard, and a way to wait for it. */
function listenTo(notifier: AgentNotifier) {
  const heard: NotifiedTargets[] = [];
  const waiting = new Set<() => void>();
  notifier.listen((told) => {
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

async function throughProxy(): Promise<{
  readonly proxy: FaultProxy;
  readonly connection: NotifierConnection;
}> {
  const { host = "", port = 5432, ...rest } = getDatabase().connection;
  const proxy = await startFaultProxy(`${host}/.s.PGSQL.${port}`);
  open.push({ close: () => proxy.stop() });
  return { proxy, connection: { ...rest, host: "127.0.0.1", port: proxy.port } };
}

test("what one process tells, every process that listens hears, itself too", async () => {
  const teller = createNotifier();
  const [here, there] = [listenTo(teller), listenTo(createNotifier())];
  await Promise.all([here.ready(), there.ready()]);
  const id = randomUUID();
  teller.notify([id]);
  await Promise.all([here, there].map(({ until, ids }) => until(() => ids().includes(id))));
});

test("ten thousand targets arrive, each once, in payloads that Postgres takes", async () => {
  const listener = listenTo(createNotifier());
  await listener.ready();
  const told = Array.from({ length: 10_000 }, () => randomUUID());
  const teller = createNotifier();
  teller.notify(told);
  teller.notify(told.slice(0, 100));
  await listener.until(() => listener.ids().length >= told.length);
  expect([...listener.ids()].sort()).toEqual([...told].sort());
});

test("what somebody else notifies is dropped unless it looks like ids", async () => {
  const listener = listenTo(createNotifier());
  await listener.ready();
  const id = randomUUID();
  await getDatabase().pool.query("select pg_notify('lockstep_agents', $1)", [`all,<script>,${id},`]);
  await listener.until(() => listener.ids().length > 0);
  expect(listener.heard).toEqual(["all", [id]]);
});

test("who has stopped listening hears nothing more", async () => {
  const notifier = createNotifier();
  let count = 0;
  const stop = notifier.listen(() => {
    count += 1;
  });
  const other = listenTo(notifier);
  await other.ready();
  const before = count;
  stop();
  notifier.notify([randomUUID()]);
  await other.until(() => other.ids().length === 1);
  expect(count).toBe(before);
});

describe("after the connection was cut", () => {
  test("it comes back by itself, everybody is told once, and notifications flow again", async () => {
    const listener = listenTo(createNotifier());
    const teller = createNotifier();
    await listener.ready();
    teller.notify([randomUUID()]);
    await listener.until(() => listener.ids().length === 1);
    await getDatabase().pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lockstep-agent-notifier' and datname = current_database()",
    );
    const id = randomUUID();
    teller.notify([id]);
    await listener.until(() => listener.alls() === 2);
    teller.notify([id]);
    await listener.until(() => listener.ids().includes(id));
    expect(listener.alls()).toBe(2);
  });

  test("what was told meanwhile is told afterwards", async () => {
    const { proxy, connection } = await throughProxy();
    const teller = createNotifier(connection);
    const listener = listenTo(createNotifier());
    await listener.ready();
    teller.notify([randomUUID()]);
    await listener.until(() => listener.ids().length === 1);
    proxy.cut();
    const told = Array.from({ length: 3 }, () => randomUUID());
    for (const id of told) teller.notify([id]);
    await listener.until(() => told.every((id) => listener.ids().includes(id)));
  });
});

test("closing while Postgres is silent does not hang", async () => {
  const { proxy, connection } = await throughProxy();
  const notifier = createPostgresAgentNotifier(connection, SILENT);
  await listenTo(notifier).ready();
  proxy.silence("to-server", "to-client");
  notifier.notify([randomUUID()]);
  const begun = performance.now();
  await notifier.close();
  expect(performance.now() - begun).toBeLessThan(4_000);
});
