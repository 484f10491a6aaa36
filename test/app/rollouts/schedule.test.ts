import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { dueRotations, rotateBySchedule } from "../../../src/app/secrets/rotate-due.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit } from "../../support/loop-kit.ts";

describeOnAStore("rotation by schedule", (database) => {
  let kit: LoopKit;

  beforeAll(() => {
    kit = createLoopKit(database());
  });

  beforeEach(async () => {
    await kit.reset();
    await kit.target("api");
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api", { role: "caller" });
    await kit.rows(`update secret set policy = '{"rotate": {"every": "30d"}}'`);
    await kit.set("AUTH", "one");
    await kit.drain();
  });

  const versions = async () => (await kit.rows("select version from secret_version")).length;
  const aged = (days: number) =>
    kit.rows(`update secret_version set created_at = now() - interval '${days} days'`);

  const rotateDue = async (context: AppContext) => {
    for (const { id } of await dueRotations(context, 10))
      await rotateBySchedule(context, id, new AbortController().signal);
  };

  it("leaves a young version alone", async () => {
    await aged(20);
    await rotateDue(kit.context);
    expect(await versions()).toBe(1);
  });

  it("rotates an old one, and once, however many processes find it", async () => {
    await aged(31);
    const processes = Array.from({ length: 8 }, () => kit.other());
    await Promise.all(processes.map(rotateDue));
    await kit.drain();
    expect(await versions()).toBe(2);
    expect(await kit.rows("select actor ->> 'name' as who from rollout where to_version = 2")).toEqual([
      { who: "schedule" },
    ]);
    await rotateDue(kit.context);
    expect(await versions()).toBe(2);
  });

  it("what is not possible is told once, keeps the old value and is tried again later", async () => {
    await aged(31);
    await kit.rows(`update secret set policy = '{"rotate": {"every": "30d", "strategy": "overlap"}}'`);
    await rotateDue(kit.context);
    await rotateDue(kit.context);
    const told = await kit.rows<{ code: string }>(
      "select details ->> 'code' as code from audit_entry where action = 'rollout.failed' and details ? 'code'",
    );
    expect(told).toEqual([{ code: "STRATEGY_IMPOSSIBLE" }]);
    expect(await versions()).toBe(1);
    await kit.rows("update secret set rotate_not_before = now() - interval '1 second'");
    await kit.rows(`update secret set policy = '{"rotate": {"every": "30d"}}'`);
    await rotateDue(kit.context);
    expect(await versions()).toBe(2);
  });
});
