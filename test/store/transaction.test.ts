import { expect, test } from "vitest";
import { toStoreError } from "../../src/adapters/store/errors.ts";
import { createPool, parseBigint } from "../../src/adapters/store/pool.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { runTransaction } from "../../src/adapters/store/transaction.ts";
import { describeOnEachStore } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";

describeOnEachStore("transactions", (getDatabase) => {
  test("a deadlock is resolved by running one side again", async () => {
    const { db } = getDatabase();
    await db
      .insertInto("environment")
      .values([{ name: "left" }, { name: "right" }])
      .execute();
    let runs = 0;
    let arrived = 0;
    let bothInside: () => void = () => undefined;
    const meeting = new Promise<void>((resolve) => {
      bothInside = resolve;
    });
    const lockBoth = (names: readonly string[]): Promise<void> =>
      runTransaction(db, async (tx) => {
        runs += 1;
        for (const name of names) {
          await tx.selectFrom("environment").select("id").where("name", "=", name).forUpdate().execute();
          arrived += 1;
          if (arrived === 2) bothInside();
          await meeting;
        }
      });
    await Promise.all([lockBoth(["left", "right"]), lockBoth(["right", "left"])]);
    expect(runs).toBe(3);
  });

  test("what keeps failing to serialize is given up after a bounded number of tries", async () => {
    const { db, pool } = getDatabase();
    await pool.query(
      `create function never_serializes() returns void language plpgsql as
       $$ begin raise exception using errcode = '40001'; end $$`,
    );
    let runs = 0;
    const attempt = runTransaction(db, async (tx) => {
      runs += 1;
      await tx.selectNoFrom((select) => select.fn("never_serializes").as("x")).execute();
    });
    await expect(attempt).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", details: { code: "40001" } });
    expect(runs).toBe(6);
  });

  test("a defect's statement and row do not cross the edge", async () => {
    const { store, db } = getDatabase();
    const failing = store.transaction(async () => {
      await db.insertInto("environment").values({ name: "canary-value" }).execute();
      await db.insertInto("environment").values({ name: "canary-value" }).execute();
    });
    const failure: unknown = await failing.catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "INTERNAL", details: { code: "23505" } });
    expect(`${JSON.stringify(failure)} ${String(failure)}`).not.toContain("canary-value");
    const read: unknown = await store.read.secrets.findById("not-a-uuid").catch((error: unknown) => error);
    expect(read).toMatchObject({ code: "INTERNAL", details: { code: "22P02" } });
  });

  test("work that went on after a failed statement is not reported as done", async () => {
    const { store, db } = getDatabase();
    const attempt = runTransaction(db, async (tx) => {
      await tx.insertInto("environment").values({ name: "half-done" }).execute();
      await tx
        .insertInto("environment")
        .values({ name: "half-done" })
        .execute()
        .catch(() => undefined);
    });
    await expect(attempt).rejects.toMatchObject({ code: "INTERNAL", details: { code: "25P02" } });
    expect(await store.read.secrets.findEnvironment("half-done")).toBeNull();
  });

  test("connections that Postgres cuts, idle or busy, end neither the process nor the pool", async () => {
    const { connection, pool } = getDatabase();
    const ours = createStore(createPool(connection, SILENT));
    await ours.read.meta.read();
    const cutAll = (): Promise<unknown> =>
      pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()`,
      );
    await Promise.all(Array.from({ length: 5 }, () => ours.read.meta.read()));
    await cutAll();
    await ours.transaction(({ secrets }) => secrets.ensureEnvironment("after-the-cut"));
    await Promise.all(Array.from({ length: 5 }, () => ours.read.meta.read()));
    await cutAll();
    expect(await ours.read.secrets.findEnvironment("after-the-cut")).not.toBeNull();
    const busy = ours.transaction(async ({ secrets }) => {
      await secrets.ensureEnvironment("lost");
      await cutAll();
      await secrets.ensureEnvironment("lost-too");
    });
    await expect(busy).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await ours.read.secrets.findEnvironment("lost")).toBeNull();
    await ours.close();
    await expect(ours.read.meta.read()).rejects.toMatchObject({
      code: expect.stringMatching(/^(STORE|INTERNAL)/),
    });
  });

  test("a statement that hangs is cancelled after its time", async () => {
    const pool = createPool(getDatabase().connection, SILENT, { statementTimeoutMs: 100 });
    const failure: unknown = await pool.query("select pg_sleep(20)").catch((error: unknown) => error);
    expect(toStoreError(failure)).toMatchObject({ code: "STORE_TIMEOUT", details: { code: "57014" } });
    await pool.end();
  });

  test("bigint arrives as a number, or not at all", async () => {
    const { pool } = getDatabase();
    expect((await pool.query("select 9007199254740991::bigint as n")).rows).toEqual([
      { n: 9007199254740991 },
    ]);
    await expect(pool.query("select 9007199254740993::bigint as n")).rejects.toMatchObject({
      code: "INTERNAL",
    });
    expect(() => parseBigint("-9007199254740993")).toThrow("too large");
  });
});
