/** Lists by pages: every row once, whatever comes in between, also where many are of one instant. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import { viewStatus } from "../../../src/app/status/status.ts";
import { viewHistory } from "../../../src/app/status/targets.ts";
import { cursorOf, readCursor } from "../../../src/lib/cursor.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit } from "../../support/loop-kit.ts";

describeOnAStore("lists by pages", (database) => {
  let kit: LoopKit;
  const SECRETS = ["A", "B_1", "B_2", "C"];

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    await kit.target("api");
    for (const name of SECRETS) {
      await kit.secret(name);
      await kit.bind(name, "api");
    }
  });

  const push = (at: string, count: number) =>
    kit.rows(`insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at)
      select id, 1, 1, 1, 1, '{}', 'd', 'succeeded', timestamptz '${at}' from target, generate_series(1, ${count})`);
  const history = async (limit: number, between: () => Promise<unknown> = async () => {}) => {
    const ids: string[] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const page = await viewHistory(kit.context, { limit, ...(after === undefined ? {} : { after }) });
      ids.push(...page.pushes.map(({ id }) => id));
      after = page.next;
      await between();
    }
    return ids;
  };

  it("of pushes, several of one microsecond, and newer ones that come meanwhile", async () => {
    await push("2026-01-01T00:00:00.000001Z", 7);
    await push("2026-01-01T00:00:00.000002Z", 2);
    const whole = await history(500);
    expect(new Set(whole).size).toBe(9);
    for (const limit of [1, 2, 3, 9]) {
      const paged = await history(limit, () => push("2026-02-01T00:00:00Z", 1));
      expect(paged.filter((id) => whole.includes(id))).toEqual(whole);
    }
  });

  it("of secrets with their bindings", async () => {
    const whole = await viewStatus(kit.context, {});
    expect(whole.next).toBeNull();
    for (const limit of [1, 3, 4, 5]) {
      const secrets = [];
      for (let after: string | null | undefined; after !== null; ) {
        const page = await viewStatus(kit.context, { limit, ...(after === undefined ? {} : { after }) });
        expect(page.secrets.length).toBeLessThanOrEqual(limit);
        secrets.push(...page.secrets);
        after = page.next;
      }
      expect(secrets).toEqual(whole.secrets);
    }
    const { next } = await viewStatus(kit.context, { limit: 2 });
    expect(readCursor(next ?? "")).toEqual(["production", "B_1"]);
    const within = { environment: "production", limit: 10, after: cursorOf(["production", "B_1"]) };
    expect((await viewStatus(kit.context, within)).secrets.map(({ name }) => name)).toEqual(["B_2", "C"]);
  });

  it("of audit entries of one transaction, which are of one instant", async () => {
    const subject = { kind: "secret", id: "x", name: "MANY" };
    await kit.context.store.transaction((tx) =>
      tx.audit.append(
        ...Array.from({ length: 5 }, (_, at) => ({
          action: "secret.created" as const,
          actor: { kind: "local" as const, id: "t", name: "t" },
          subject,
          details: { at },
        })),
      ),
    );
    const { audit } = kit.context.store.read;
    const whole = await audit.list({ limit: 100, subjectName: "MANY" });
    expect(whole).toHaveLength(5);
    const [, second] = whole;
    const rest = await audit.list({
      limit: 100,
      subjectName: "MANY",
      after: [second?.atText ?? "", second?.id ?? ""],
    });
    expect(rest.map(({ id }) => id)).toEqual(whole.slice(2).map(({ id }) => id));
  });
});
