import { describe, expect, it } from "vitest";
import type { RequestBudget } from "../../../src/core/ports/target-context.ts";
import { at, failure, never, order, set, useRailway } from "./kit.ts";

describe("limits", () => {
  const kit = useRailway();
  it("every request asks for its budget, and Railway's word about it is passed on", async () => {
    const taken: string[] = [];
    const reported: unknown[] = [];
    const budget: RequestBudget = {
      take: async (key, cost, purpose) => void taken.push(`${key.split(":")[0]} ${cost} ${purpose}`),
      report: async (_key, seen) => void reported.push(seen),
    };
    const target = kit.open({ budget });
    await target.observe(at("KEPT"), never);
    await target.apply(set({ NEW: "x" }), order(1), never);
    expect(taken.slice(-2)).toEqual(["railway 1 push", "railway 1 push"]);
    expect(reported.at(-1)).toMatchObject({
      limit: expect.any(Number),
      remaining: expect.any(Number),
      resetsAt: expect.any(Date),
    });
  });

  it("looking around is told apart from pushing, and so is following", async () => {
    const taken: string[] = [];
    const budget: RequestBudget = {
      take: async (_key, _cost, purpose) => void taken.push(purpose),
      report: async () => {},
    };
    await kit.open({ budget, purpose: "background" }).observe(at("KEPT"), never);
    expect(new Set(taken.splice(0))).toEqual(new Set(["background"]));
    const target = kit.open({ budget });
    const { units } = await target.observe(at("KEPT"), never);
    expect(taken.splice(0)).toEqual(["push"]);
    const asked = units.map((unit) => ({ unit, id: null, knownIds: [], requestedAgoMs: 0, expected: [] }));
    await target.activator?.follow(asked, never);
    expect(taken).toEqual(["background"]);
  });

  it.each(["epoch-seconds", "iso-date"] as const)("understands a reset given as %s", async (resetFormat) => {
    await kit.restart({ rateLimit: { resetFormat, windowMs: 600_000 } });
    const seen: { resetsAt?: Date }[] = [];
    const budget: RequestBudget = {
      take: async () => {},
      report: async (_key, word) => void seen.push(word),
    };
    await kit.open({ budget }).observe(at("KEPT"), never);
    const aheadMs = (seen.at(-1)?.resetsAt?.getTime() ?? 0) - Date.now();
    expect(aheadMs).toBeGreaterThan(500_000);
    expect(aheadMs).toBeLessThan(602_000);
  });

  it("a spent window is told with its wait, to the caller and to the budget", async () => {
    const { token } = await kit.railway.state.addToken({ kind: "project", limit: 2 });
    const waits: (number | undefined)[] = [];
    const budget: RequestBudget = {
      take: async () => {},
      report: async (_key, { retryAfterMs }) => void waits.push(retryAfterMs),
    };
    const target = kit.open({ token, budget });
    await target.observe(at("KEPT"), never);
    const error = await failure(target.observe(at("KEPT"), never));
    expect(error.code).toBe("TARGET_RATE_LIMITED");
    expect(error.retryAfterMs).toBeGreaterThan(3_000_000);
    expect(waits.at(-1)).toBe(error.retryAfterMs);
  });

  it("a budget that refuses sends nothing, and one that cannot write down forgets no answer", async () => {
    const refusing = { take: () => Promise.reject(new Error("spent")), report: async () => {} };
    await kit
      .open({ budget: refusing })
      .observe(at("KEPT"), never)
      .catch(() => undefined);
    expect(await kit.railway.log.requests({})).toEqual([]);
    const forgetful = { take: async () => {}, report: () => Promise.reject(new Error("no database")) };
    expect((await kit.open({ budget: forgetful }).observe(at("KEPT"), never)).keys).toHaveLength(1);
  });
});
