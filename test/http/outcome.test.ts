/**
 * Law 9 and ruling 10: the same request is done once, also where the store fails between the change and its record. What
 * is played: a commit whose answer is lost, a store that takes no record, a process that dies.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LockstepError } from "../../src/core/errors.ts";
import type { Store } from "../../src/core/store/store.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const KEY = "/api/v1/secrets/production/API_KEY";
const getDatabase = useDatabase();
let kit: LoopKit;
let http: HttpKit;
let headers: Record<string, string>;
/** The connection is lost when Postgres has made the commit that brought the version, before it could say so. */
let losesTheChange = false;

beforeAll(async () => {
  kit = createLoopKit(getDatabase());
  const { store } = kit.context;
  const lossy: Store = {
    read: store.read,
    close: () => store.close(),
    transaction: async (work) => {
      const result = await store.transaction(work);
      if (!losesTheChange || (await versions()) === 0) return result;
      losesTheChange = false;
      throw new LockstepError("STORE_UNAVAILABLE", "Cannot use the store: the connection was lost.");
    },
  };
  http = await createHttpKit(kit.other({ store: lossy }));
});
afterAll(() => http.server.close());
beforeEach(async () => {
  await kit.reset();
  losesTheChange = false;
  headers = { "idempotency-key": randomUUID() };
});

const set = (value = "one") =>
  http.ask(`${KEY}/set`, { method: "POST", headers, body: { fields: { value } } });

async function versions(): Promise<number> {
  const [row] = await kit.rows<{ n: number }>("select count(*)::int as n from secret_version");
  return row?.n ?? 0;
}

/** Postgres itself refuses the record of an end. */
async function refuseRecords(refuse: boolean): Promise<void> {
  const { pool } = getDatabase();
  await pool.query("drop trigger if exists full_disk on idempotency");
  await pool.query(
    `create or replace function full_disk() returns trigger language plpgsql as
     $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$`,
  );
  if (refuse) {
    await pool.query(
      `create trigger full_disk before update on idempotency for each row when (new.status = 200)
       execute function full_disk()`,
    );
  }
}

describe("law 9: a request that is sent again", () => {
  test("after a commit whose answer was lost is not done twice, and told to look", async () => {
    losesTheChange = true;
    const lost = await set();
    expect(lost.json()).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await versions()).toBe(1);
    const again = await set();
    expect(await versions()).toBe(1);
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({
      code: "REQUEST_OUTCOME_UNKNOWN",
      detail: expect.stringContaining("changed something"),
      hint: expect.stringContaining("lockstep history"),
    });
  });

  test("after its end could not be recorded: the first is answered as done, the second told to look", async () => {
    await refuseRecords(true);
    expect((await set()).status).toBe(200);
    await refuseRecords(false);
    const again = await set();
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({ code: "REQUEST_OUTCOME_UNKNOWN" });
    expect(await versions()).toBe(1);
  });

  test("after the process that had claimed it died is told to look", async () => {
    expect((await set()).status).toBe(200);
    // As a kill leaves it between claim and change.
    await getDatabase().pool.query("update idempotency set status = null, response = null");
    const again = await set();
    expect(again.status).toBe(409);
    expect(again.json()).toMatchObject({
      code: "REQUEST_OUTCOME_UNKNOWN",
      detail: expect.stringContaining("was begun"),
    });
    expect(await versions()).toBe(1);
  });

  test("after it failed with nothing committed is done", async () => {
    expect((await set("")).status).toBe(422);
    expect((await set("one")).status).toBe(200);
    expect(await versions()).toBe(1);
  });

  test("with another body is refused, whatever came of the first", async () => {
    await refuseRecords(true);
    await set("one");
    await refuseRecords(false);
    expect((await set("two")).json()).toMatchObject({ code: "IDEMPOTENCY_REUSED" });
  });
});
