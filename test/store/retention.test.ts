/** Old history goes in small parts; what is current, under way or referred to stays whatever its age. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../src/app/base/context.ts";
import { deleteExpired } from "../../src/app/retention/delete-expired.ts";
import { storeStatus } from "../../src/app/retention/store-status.ts";
import { DAY_MS, DEFAULT_RETENTION, type HistoryKind } from "../../src/core/retention.ts";
import { describeOnAStore } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

const ALL_SHORT = { changes: DAY_MS, pushes: DAY_MS, restarts: DAY_MS, alerts: DAY_MS, messages: DAY_MS };

describeOnAStore("how long history is kept", (database) => {
  let kit: LoopKit;

  beforeAll(() => {
    kit = createLoopKit(database());
  });

  beforeEach(async () => {
    await kit.reset();
    await kit.rows("update retention_walk set after_at = null, next_at = now()");
    await kit.rows("delete from store_size");
    await kit.target("api");
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api");
  });

  const never = new AbortController().signal;
  const context = (overrides: Partial<AppContext> = {}) => kit.other({ retention: ALL_SHORT, ...overrides });
  const age = (table: string, column: string, days: number) =>
    kit.rows(`update ${table} set ${column} = ${column} - interval '${days} days'`);
  const ids = async (table: string) =>
    (await kit.rows<{ id: string }>(`select id::text from ${table}`)).map(({ id }) => id).sort();
  /** As often as it would be called, until nothing is due. */
  const walk = async (by = context()) => {
    for (let rounds = 0; rounds < 100; rounds += 1) {
      await deleteExpired(by, never);
      if ((await kit.rows("select from retention_walk where next_at <= now()")).length === 0) return;
    }
    throw new Error("the walk does not end");
  };
  const rotateTo = async (value: string) => {
    await kit.set("AUTH", value);
    for (let rounds = 0; rounds < 50; rounds += 1) {
      await kit.drain();
      if ((await kit.rows("select from rollout where state in ('running', 'stalled')")).length === 0) return;
      await kit.hurry();
    }
    throw new Error("the rollout does not end");
  };

  it("pushes: the newest of each target, and what brought a value that is in use, stay; older ones go with their items", async () => {
    await rotateTo("one");
    await rotateTo("two");
    await kit.bind("AUTH", "api", { key: "OTHER" });
    // A later push that did not touch AUTH at all.
    await kit.rows(`insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at)
      select target_id, epoch, generation, 1, 1, '{}', 'd', 'succeeded', now() + interval '1 minute' from push limit 1`);
    await kit.rows("delete from activation");
    await age("push", "started_at", 500);
    const brought = await kit.rows<{ id: string; version: number }>(
      "select p.id::text, i.version from push p join push_item i on i.push_id = p.id where i.action = 'set' and i.slot = 'primary'",
    );
    const [newest] = await kit.rows<{ id: string }>(
      "select id::text from push order by started_at desc limit 1",
    );
    await walk();
    const inUse = brought.filter(({ version }) => version === 2).map(({ id }) => id);
    expect(inUse).not.toEqual([]);
    expect(await ids("push")).toEqual([...new Set([...inUse, newest?.id ?? ""])].sort());
    expect(
      await kit.rows("select from push_item i where not exists (select from push where id = i.push_id)"),
    ).toEqual([]);
  });

  it("pushes that are under way, that an open rollout is about, or that a unit runs with, stay", async () => {
    await rotateTo("one");
    const insert = async (outcome: string, items: string) => {
      const [push] = await kit.rows<{ id: string }>(
        `insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at)
         select id, 1, 1, 1, 1, '{}', 'd', '${outcome}', now() - interval '500 days' from target returning id::text`,
      );
      await kit.rows(items.replaceAll("PUSH", push?.id ?? ""));
      return push?.id ?? "";
    };
    const unset = (version: number) =>
      `insert into push_item (push_id, ordinal, binding_id, secret_id, placement, key, slot, version, action)
       select 'PUSH', 0, b.id, b.secret_id, '', 'AUTH', 'primary', ${version}, 'unset' from binding b`;
    const open = await insert("unknown", unset(9));
    const ran = await insert("succeeded", unset(9));
    await kit.rows(`with made as (insert into unit (key, name, kind, config, follow_group) values ('u', 'u', 'memory', '{}', 'g') returning id),
      linked as (insert into target_unit (target_id, unit_id) select t.id, made.id from target t, made)
      insert into activation (unit_id, target_id, state, digest, push_ids)
      select made.id, t.id, 'succeeded', 'd', array['${ran}']::uuid[] from made, target t`);
    const gone = await insert("failed", unset(9));
    await walk();
    expect(await ids("push")).toEqual(expect.arrayContaining([open, ran]));
    expect(await ids("push")).not.toContain(gone);

    await kit.rows("update retention_walk set next_at = now()");
    const about = await insert("failed", unset(9));
    await kit.rows("update rollout set state = 'stalled'");
    await walk();
    expect(await ids("push")).toContain(about);
  });

  it("restarts: those under way, the newest of a unit, its newest end and its newest success stay", async () => {
    await kit.rows(`with made as (insert into unit (key, name, kind, config, follow_group) values ('u', 'u', 'memory', '{}', 'g') returning id)
      insert into activation (unit_id, target_id, state, digest, created_at, ended_at)
      select made.id, t.id, row.state, row.digest, now() - row.days * interval '1 day',
        case when row.state not in ('owed', 'requested') then now() - row.days * interval '1 day' end
      from made, target t, (values ('owed', 'owed', 400), ('succeeded', 'old', 399), ('failed', 'failed', 398),
        ('succeeded', 'success', 397), ('failed', 'newest', 396)) as row (state, digest, days)`);
    await walk();
    const left = async () =>
      (await kit.rows<{ digest: string }>("select digest from activation order by created_at")).map(
        ({ digest }) => digest,
      );
    expect(await left()).toEqual(["owed", "success", "newest"]);
    // The newest ended before another one did.
    await kit.rows("update activation set ended_at = now() - interval '399 days' where digest = 'newest'");
    await kit.rows("update retention_walk set next_at = now()");
    await walk();
    expect(await left()).toEqual(["owed", "success", "newest"]);
  });

  it("alerts go once they are over, and messages but the newest delivery and failure of a channel", async () => {
    await kit.rows(`insert into alert (kind, subject_id, level, message, remedy, opened_at, resolved_at) values
      ('open', gen_random_uuid(), 'wrong', 'm', '', now() - interval '900 days', null),
      ('over', gen_random_uuid(), 'wrong', 'm', '', now() - interval '900 days', now() - interval '800 days')`);
    await kit.rows(
      `insert into channel (id, name, kind, config, destination) select gen_random_uuid(), 'c', 'slack', '{}', 'd'`,
    );
    await kit.rows(`insert into delivery (channel_id, alert_id, event, state, error_message, created_at, ended_at)
      select c.id, a.id, 'opened', row.state, row.error, now() - row.days * interval '1 day', now()
      from channel c, alert a, (values ('pending', null, 401), ('delivered', null, 400), ('undeliverable', 'old', 399), ('delivered', null, 398),
        ('undeliverable', 'newest', 397)) as row (state, error, days) where a.kind = 'open'`);
    await walk();
    expect(await kit.rows("select kind from alert")).toEqual([{ kind: "open" }]);
    expect(await kit.rows("select state, error_message as error from delivery order by created_at")).toEqual([
      { state: "pending", error: null },
      { state: "delivered", error: null },
      { state: "undeliverable", error: "newest" },
    ]);
  });

  it("nothing goes before its time, and nothing at all that is to be kept for ever", async () => {
    await rotateTo("one");
    await rotateTo("two");
    await age("observation_change", "seen_at", 80);
    await age("push", "started_at", 390);
    const before = [await ids("push"), await ids("observation_change")];
    await walk(context({ retention: DEFAULT_RETENTION }));
    expect([await ids("push"), await ids("observation_change")]).toEqual(before);
    await age("observation_change", "seen_at", 9_000);
    await kit.rows("update retention_walk set next_at = now()");
    await walk(context({ retention: { ...ALL_SHORT, changes: null } }));
    expect(await ids("observation_change")).toEqual(before[1]);
  });

  it("a walk gets past any number of rows of one instant, and any number that stay", async () => {
    await kit.rows(`insert into observation_change (binding_id, slot, found, seen_at)
      select b.id, 'primary', 'absent', now() - interval '10 days' from binding b, generate_series(1, 3000)`);
    await kit.rows(`insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at)
      select t.id, 1, 1, 1, 1, '{}'::jsonb, 'd', 'unknown', now() - interval '10 days' from target t, generate_series(1, 2000)`);
    await kit.rows(`insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at)
      select t.id, 1, 1, 1, 1, '{}'::jsonb, 'd', 'failed', now() - interval '9 days' from target t
      union all select t.id, 1, 1, 1, 1, '{}'::jsonb, 'd', 'succeeded', now() - interval '8 days' from target t`);
    await walk();
    expect(await ids("observation_change")).toEqual([]);
    expect(await kit.rows("select outcome, count(*)::int from push group by 1 order by 1")).toEqual([
      { outcome: "succeeded", count: 1 },
      { outcome: "unknown", count: 2000 },
    ]);
  });

  it("one process at a time deletes, and never more than 10,000 rows a round", async () => {
    await kit.rows(`insert into observation_change (binding_id, slot, found, seen_at)
      select b.id, 'primary', 'absent', now() - interval '10 days' - n * interval '1 second'
      from binding b, generate_series(1, 12000) n`);
    await deleteExpired(context(), never);
    expect((await kit.rows("select from observation_change")).length).toBeGreaterThanOrEqual(2_000);
    const { store } = kit.context;
    await store.transaction(async (tx) => {
      const options = { retention: ALL_SHORT, limit: 500, againInMs: DAY_MS };
      expect(await tx.retention.step(options)).not.toBeNull();
      expect(await store.transaction((other) => other.retention.step(options))).toBeNull();
    });
  });

  it("what one day's size is, is kept once; growth is known after three days", async () => {
    await deleteExpired(context(), never);
    await deleteExpired(context(), never);
    expect(await kit.rows("select from store_size")).toHaveLength(1);
    expect((await storeStatus(context())).growth).toBeNull();
    await kit.rows(
      `insert into store_size select (now() at time zone 'utc')::date - 4, bytes - 4000000 from store_size`,
    );
    const status = await storeStatus(context({ freeDisk: async () => 100_000_000 }));
    expect(status).toMatchObject({ growth: { bytesPerDay: 1_000_000, overDays: 4 }, daysLeft: 100 });
    expect(status.bytes).toBe(status.tables.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(status.tables.map(({ table }) => table)).toEqual(expect.arrayContaining(["push", "audit_entry"]));
    const away = await storeStatus(
      context({
        freeDisk: async () => {
          throw new Error("gone");
        },
      }),
    );
    expect(away).toMatchObject({ freeBytes: null, daysLeft: null });
  });

  it("a store that was set back only looks: what it holds is what a person judges by", async () => {
    await kit.rows(`insert into observation_change (binding_id, slot, found, seen_at)
      select b.id, 'primary', 'absent', now() - interval '10 days' from binding b`);
    const [target] = await kit.targetIds("api");
    await kit.rows(`insert into store_meta (store_id, key_check, fingerprint_key_sealed, sealing_key_id)
      values (gen_random_uuid(), 'x.x.another', 'x.x.another', 'another')`);
    await kit.context.store.transaction((tx) =>
      tx.meta.freeze({ targetId: target ?? "", seen: "lockstep 1 1 x", by: "mark" }),
    );
    expect(await kit.context.store.read.meta.setBack()).not.toBeNull();
    await deleteExpired(context(), never);
    expect(await ids("observation_change")).toHaveLength(1);
    await kit.rows("delete from store_meta");
    await walk();
    expect(await ids("observation_change")).toEqual([]);
  });

  it("every kind has its rows, also in a store that lost them", async () => {
    await kit.rows("delete from retention_walk");
    await walk();
    const kinds = await kit.rows<{ kind: HistoryKind }>("select kind from retention_walk order by kind");
    expect(kinds.map(({ kind }) => kind)).toEqual(Object.keys(ALL_SHORT).sort());
  });
});
