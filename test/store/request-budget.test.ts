import { expect, test } from "vitest";
import { createDatabase } from "../../src/adapters/store/pool.ts";
import { PostgresRequestBudget } from "../../src/adapters/store/request-budget.ts";
import { describeOnEachStore } from "../support/database.ts";

describeOnEachStore("the request budget", (getDatabase) => {
  let number = 0;
  const newKey = (): string => {
    number += 1;
    return `railway:token-${number}`;
  };
  const newWorker = (): PostgresRequestBudget =>
    new PostgresRequestBudget(createDatabase(getDatabase().openPool()));
  const remainingOf = async (key: string): Promise<number> => {
    const row = await getDatabase()
      .db.selectFrom("rate_budget")
      .select("remaining")
      .where("key", "=", key)
      .executeTakeFirstOrThrow();
    return row.remaining;
  };
  /** How many single requests are granted before the budget says no. */
  const drain = async (
    budget: PostgresRequestBudget,
    key: string,
    purpose: "push" | "background",
  ): Promise<number> => {
    for (let granted = 0; ; granted += 1) {
      try {
        await budget.take(key, 1, purpose);
      } catch (error) {
        expect(error).toMatchObject({ code: "TARGET_RATE_LIMITED" });
        return granted;
      }
    }
  };

  test("two workers together never get more than the limit", async () => {
    const key = newKey();
    const [one, two] = [newWorker(), newWorker()];
    await one.report(key, { limit: 120, remaining: 120 });
    const granted = await Promise.all([
      drain(one, key, "push"),
      drain(two, key, "push"),
      drain(one, key, "push"),
      drain(two, key, "push"),
    ]);
    expect(granted.reduce((sum, each) => sum + each, 0)).toBe(120);
    expect(await remainingOf(key)).toBe(0);
  });

  test("until the place reports, a thousand an hour are assumed", async () => {
    const key = newKey();
    await newWorker().take(key, 1, "background");
    expect(await remainingOf(key)).toBe(999);
  });

  test("looking around stops at the fifth that is kept for pushes", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.report(key, { limit: 50, remaining: 50 });
    expect(await drain(budget, key, "background")).toBe(40);
    expect(await drain(budget, key, "push")).toBe(10);
  });

  test("a worker borrows ten for pushes and asks the database once for them", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.report(key, { limit: 100, remaining: 100 });
    for (let taken = 0; taken < 10; taken += 1) {
      await budget.take(key, 1, "push");
      expect(await remainingOf(key)).toBe(90);
    }
    await budget.take(key, 1, "push");
    expect(await remainingOf(key)).toBe(80);
  });

  test("what the place says tightens the count and never loosens it within the window", async () => {
    const key = newKey();
    const budget = newWorker();
    const resetsAt = new Date(Date.now() + 600_000);
    await budget.report(key, { limit: 100, remaining: 100, resetsAt });
    await budget.report(key, { remaining: 7, resetsAt });
    await budget.report(key, { remaining: 80, resetsAt: new Date(resetsAt.getTime() + 1_000) });
    expect(await remainingOf(key)).toBe(7);
  });

  test("a later window of the place starts from its word", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.report(key, { limit: 100, remaining: 3, resetsAt: new Date(Date.now() + 30_000) });
    await budget.report(key, { limit: 100, remaining: 98, resetsAt: new Date(Date.now() + 300_000) });
    expect(await remainingOf(key)).toBe(98);
  });

  test("a window that is over begins again by itself", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.report(key, { limit: 10, remaining: 0 });
    await expect(budget.take(key, 1, "push")).rejects.toMatchObject({ code: "TARGET_RATE_LIMITED" });
    await getDatabase()
      .db.updateTable("rate_budget")
      .set({ window_ends_at: new Date(0) })
      .where("key", "=", key)
      .execute();
    await budget.take(key, 1, "push");
    expect(await remainingOf(key)).toBe(0);
  });

  test("retry-after blocks every worker, loans included, and says how long", async () => {
    const key = newKey();
    const [one, two] = [newWorker(), newWorker()];
    await one.take(key, 1, "push");
    await one.report(key, { retryAfterMs: 20_000 });
    for (const budget of [one, two]) {
      const failure: unknown = await budget.take(key, 1, "push").catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "TARGET_RATE_LIMITED" });
      const { retryAfterMs } = failure as { retryAfterMs: number };
      expect(retryAfterMs).toBeGreaterThan(10_000);
      expect(retryAfterMs).toBeLessThanOrEqual(20_000);
    }
  });

  test("a limit learned from the place keeps what was spent already", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.take(key, 100, "background");
    await budget.report(key, { limit: 10_000 });
    expect(await remainingOf(key)).toBe(9_900);
  });

  test("nonsense from the place is not believed", async () => {
    const key = newKey();
    const budget = newWorker();
    await budget.report(key, { limit: 50, remaining: Number.NaN, resetsAt: new Date(Number.NaN) });
    await budget.report(key, { remaining: -3, resetsAt: new Date("2400-01-01") });
    const failure: unknown = await budget.take(key, 1, "push").catch((error: unknown) => error);
    expect((failure as { retryAfterMs: number }).retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });
});
