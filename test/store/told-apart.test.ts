/** Ruling 21, law 5: what Postgres says about why it cannot serve reaches people with a code and a remedy of its own. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { toStoreError } from "../../src/adapters/store/errors.ts";
import { createPool } from "../../src/adapters/store/pool.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { isStoreAway, type LockstepError } from "../../src/core/errors.ts";
import { useDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";

const getDatabase = useDatabase();

/** What a use case gets when a statement of its transaction ends so. */
async function failureOf(statement: string): Promise<LockstepError> {
  const client = new pg.Client(getDatabase().connection);
  await client.connect();
  const failure: unknown = await client.query(statement).then(
    () => null,
    (error: unknown) => error,
  );
  await client.end();
  return toStoreError(failure);
}

const raise = (code: string): string =>
  `do $$ begin raise exception 'canary' using errcode = '${code}'; end $$`;

describe("from Postgres itself", () => {
  test.each([
    ["STORE_FULL", raise("53100"), "df -h"],
    ["STORE_READ_ONLY", "begin read only; update store_meta set epoch = epoch", "primary"],
    ["STORE_TIMEOUT", "set statement_timeout = 20; select pg_sleep(30)", "pg_stat_activity"],
    ["STORE_TIMEOUT", raise("55P03"), "pg_stat_activity"],
    ["STORE_BUSY", raise("53200"), "max_connections"],
    ["STORE_STARTING", raise("57P03"), "recovering"],
    ["STORE_UNAVAILABLE", raise("57P01"), "can be reached"],
  ])("%s is told of %s, with what to do", async (code, statement, remedy) => {
    const failure = await failureOf(statement);
    expect(failure).toMatchObject({ code, hint: expect.stringContaining(remedy), status: 503 });
    expect(failure.message).not.toContain("canary");
    expect(isStoreAway(failure)).toBe(true);
  });
});

test("too many connections of our role is told as that, not as a Postgres that is away", async () => {
  const { pool, connection } = getDatabase();
  const login = `few_${randomBytes(4).toString("hex")}`;
  await pool.query(`create role ${login} login password 'test-only' connection limit 0`);
  const store = createStore(createPool({ ...connection, user: login, password: "test-only" }, SILENT));
  await expect(store.read.meta.read()).rejects.toMatchObject({
    code: "STORE_BUSY",
    hint: expect.stringContaining("CONNECTION LIMIT"),
  });
  await store.close();
  await pool.query(`drop role ${login}`);
});

test("a store that takes no writes says so, and what it holds is still read", async () => {
  const { pool, connection } = getDatabase();
  const login = `reads_${randomBytes(4).toString("hex")}`;
  await pool.query(`create role ${login} login superuser password 'test-only'`);
  await pool.query(`alter role ${login} set default_transaction_read_only = on`);
  const store = createStore(createPool({ ...connection, user: login, password: "test-only" }, SILENT));
  await store.read.meta.read();
  const write = store.transaction(({ secrets }) => secrets.ensureEnvironment("production"));
  await expect(write).rejects.toMatchObject({ code: "STORE_READ_ONLY" });
  await store.close();
  await pool.query(`drop role ${login}`);
});
