import { expect, test } from "vitest";
import { SYSTEM } from "../../src/core/actor.ts";
import { AUDIT_ACTIONS } from "../../src/core/audit/events.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { AuditEntry } from "../../src/core/store/audit.ts";
import { describeOnEachStore } from "../support/database.ts";

const entry = (name: string): AuditEntry => ({
  action: "secret.created",
  actor: { kind: "token", id: "t1", name: "ops", via: ["cli"] },
  subject: { kind: "secret", id: "s1", name },
  details: { versions: [1, 2], nested: { quote: '"' } },
});

describeOnEachStore("the audit log", (getDatabase) => {
  test("entries come back whole, newest first, by subject and time", async () => {
    const { store } = getDatabase();
    await store.transaction(({ audit }) => audit.append(entry("OLD")));
    await store.transaction(({ audit }) => audit.append(entry("NEW"), { ...entry("OTHER"), actor: SYSTEM }));
    const all = await store.read.audit.list({ limit: 10 });
    expect(all.at(-1)).toMatchObject(entry("OLD"));
    expect(await store.read.audit.list({ limit: 10, subjectName: "NEW" })).toMatchObject([entry("NEW")]);
    const newest = all[0]?.at ?? new Date(0);
    expect((await store.read.audit.list({ limit: 1 })).length).toBe(1);
    for (const { at } of await store.read.audit.list({ limit: 10, before: newest })) {
      expect(at.getTime()).toBeLessThan(newest.getTime());
    }
  });

  test("every action of the catalogue can be written and read", async () => {
    const { store } = getDatabase();
    await store.transaction(({ audit }) =>
      audit.append(...AUDIT_ACTIONS.map((action) => ({ ...entry("EVERY"), action }))),
    );
    const read = await store.read.audit.list({ limit: 1_000, subjectName: "EVERY" });
    expect(read.map(({ action }) => action).sort()).toEqual([...AUDIT_ACTIONS].sort());
  });

  test.each([
    "update audit_entry set action = 'x'",
    "update audit_entry set action = 'x' where false",
    "delete from audit_entry",
    "truncate audit_entry",
    "truncate audit_entry cascade",
    "insert into audit_entry select * from audit_entry limit 1 on conflict (id) do update set action = 'x'",
    `merge into audit_entry using (select id from audit_entry) as seen on audit_entry.id = seen.id
       when matched then delete`,
  ])("history is not changed by: %s", async (statement) => {
    const { store, pool } = getDatabase();
    await store.transaction(({ audit }) => audit.append(entry("KEPT")));
    const before = await store.read.audit.list({ limit: 1_000 });
    await expect(pool.query(statement)).rejects.toThrow("append-only");
    expect(await store.read.audit.list({ limit: 1_000 })).toEqual(before);
  });

  test("an entry is undone with the change it tells of", async () => {
    const { store } = getDatabase();
    const refused = store.transaction(async ({ audit, secrets }) => {
      await secrets.ensureEnvironment("undone");
      await audit.append(entry("UNDONE"));
      throw new LockstepError("FORBIDDEN", "Cannot do that: not allowed.");
    });
    await expect(refused).rejects.toMatchObject({ code: "FORBIDDEN" });
    expect(await store.read.audit.list({ limit: 10, subjectName: "UNDONE" })).toEqual([]);
    expect(await store.read.secrets.findEnvironment("undone")).toBeNull();
  });

  test("an entry outside a transaction is refused as a defect", async () => {
    const { store } = getDatabase();
    await expect(store.read.audit.append(entry("LOOSE"))).rejects.toMatchObject({ code: "INTERNAL" });
  });
});
