import { randomUUID } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { migrate } from "../../../src/adapters/store/migrator.ts";
import { createPool } from "../../../src/adapters/store/pool.ts";
import { createStore } from "../../../src/adapters/store/store.ts";
import { isStoreAway, LockstepError } from "../../../src/core/errors.ts";
import { SILENT } from "../../support/database-clusters.ts";
import { processesOf, startChild, until } from "./children.ts";
import { child, isLinux, pidFile, place, postmaster, query, start } from "./fixture.ts";

describe.skipIf(!isLinux)("when processes are killed", () => {
  test("kill -9 of Node leaves no process behind, and the next start has the data", async () => {
    const killed = await child();
    expect(killed.answer).toMatchObject({ ready: true });
    expect((await processesOf(place.directory)).length).toBeGreaterThan(3);
    await killed.kill();
    await until("no process is left", async () => (await processesOf(place.directory)).length === 0);
    await start();
  });

  test("kill -9 while Postgres is only just starting leaves no process behind either", async () => {
    await (await start()).stop();
    for (const _ of [1, 2, 3]) {
      const early = startChild(place.directory);
      await until("its postgres exists", async () => (await processesOf(place.directory)).length > 2);
      const [node = 0] = await processesOf(place.directory);
      process.kill(node, "SIGKILL");
      await early;
      await until("no process is left", async () => (await processesOf(place.directory)).length === 0, 5_000);
    }
  });

  test("a start at once after kill -9 waits for the old server to end", async () => {
    const killed = await child();
    await killed.kill();
    const next = await start();
    expect(await query(next.connection, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("kill -9 of everything at once is survived", async () => {
    await child();
    for (const pid of await processesOf(place.directory)) process.kill(pid, "SIGKILL");
    const next = await start();
    expect(await query(next.connection, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("an orphan whose guard was killed before Node is interrupted by the next start", async () => {
    const killed = await child();
    const orphan = await postmaster();
    killed.process.kill("SIGSTOP");
    process.kill(await parentOf(orphan), "SIGKILL");
    await killed.kill();
    await start();
    expect(await postmaster()).not.toBe(orphan);
  });

  test("a server that dies under a living process comes back by itself, and the pool with it", async () => {
    const { connection } = await start();
    await migrate(connection, SILENT);
    const store = createStore(createPool(connection, SILENT));
    await store.read.meta.read();
    const before = await postmaster();
    process.kill(before, "SIGKILL");
    await until("the pool answers again, from another server", async () =>
      store.read.meta.read().then(
        async () => (await postmaster()) !== before,
        (error: unknown) => {
          expect(error).toSatisfy((found) => found instanceof LockstepError && isStoreAway(found));
          return false;
        },
      ),
    );
    await store.close();
  });

  test("a crash inside Postgres does not make the server look abandoned", async () => {
    const { connection } = await start();
    const client = new pg.Client({ ...connection });
    client.on("error", () => undefined);
    await client.connect();
    const before = await postmaster();
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    process.kill(rows[0]?.pid ?? 0, "SIGKILL");
    await client.end().catch(() => undefined);
    await expect(start()).rejects.toMatchObject({ code: "STORE_IN_USE" });
    expect(await postmaster()).toBe(before);
  });
});

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe("on a directory that somebody used", () => {
  const writePidFile = async (pid: number): Promise<void> => {
    const data = join(place.directory, "cluster", "data");
    const text = [
      pid,
      data,
      "1700000000",
      "5432",
      join(place.directory, "socket"),
      "",
      "  1234567         1",
      "ready   ",
    ];
    await writeFile(pidFile(), `${text.join("\n")}\n`);
  };

  test("a second process is refused, and the first one works on", async () => {
    const first = await start();
    const second = await child();
    expect(second.answer).toMatchObject({ ready: false, code: "STORE_IN_USE" });
    expect(await query(first.connection, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("of three processes that start at once on a new directory, one gets it", async () => {
    const children = await Promise.all([child(), child(), child()]);
    const answers = children.map(({ answer }) => (answer.ready ? "ready" : answer.code)).sort();
    expect(answers).toEqual(["STORE_IN_USE", "STORE_IN_USE", "ready"]);
  });

  test("a pid file of a process that is gone does not block", async () => {
    await (await start()).stop();
    const gone = await child();
    await gone.kill();
    await until("the pid is free", async () => (await processesOf(place.directory)).length === 0);
    await writePidFile(gone.process.pid ?? 0);
    await start();
  });

  test("a pid file whose pid is another program's by now does not block", async () => {
    await (await start()).stop();
    await writePidFile(process.pid);
    await start();
  });

  test("data of another major version is refused before anything touches it", async () => {
    await (await start()).stop();
    await writeFile(join(place.directory, "cluster", "data", "PG_VERSION"), "17\n");
    await expect(start()).rejects.toMatchObject({ code: "STORE_SCHEMA" });
  });

  test("ruling 27: what an interrupted first start left is removed, also where its pid is another's by now", async () => {
    const living = `${process.pid} ${randomUUID()} 1`;
    const left = [`${2 ** 22 + 1} unknown`, living].map((life) =>
      join(place.directory, `cluster.new-${life}-0123abcd`),
    );
    for (const path of left) await mkdir(path, { recursive: true });
    await start();
    for (const path of left) await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
