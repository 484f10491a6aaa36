/** What is due is taken in turn from every environment: thousands of one keep none of another waiting. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import { describeOnAStore } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

describeOnAStore("targets that are due", (database) => {
  let kit: LoopKit;

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    await kit.context.store.transaction(async (tx) => {
      await tx.secrets.ensureEnvironment("production");
      await tx.secrets.ensureEnvironment("staging");
    });
  });

  const owe = (environment: string, count: number, since: string) =>
    kit.rows(`insert into target (environment_id, name, kind, config, destination, generation, next_action_at)
      select e.id, '${environment}-' || n, 'memory', '{}', '${environment}:' || n, 2, now() - interval '${since}'
      from environment e, generate_series(1, ${count}) n where e.name = '${environment}'`);
  const due = async (limit: number) => {
    const ids = await kit.context.store.read.targets.due(limit);
    const rows = await kit.rows<{ id: string; name: string }>("select id, name from target");
    const names = new Map(rows.map(({ id, name }) => [id, name]));
    return ids.map((id) => names.get(id) ?? "");
  };

  it("of one environment with many, and of another with few", async () => {
    await owe("production", 300, "1 hour");
    await owe("staging", 2, "1 second");
    const first = await due(100);
    expect(first).toHaveLength(100);
    expect(first.slice(0, 4).filter((name) => name.startsWith("staging"))).toHaveLength(2);
  });

  it("within an environment those that wait longest come first", async () => {
    await owe("production", 1, "1 minute");
    await kit.rows("update target set name = 'newer'");
    await kit.rows("update target set destination = 'newer'");
    await owe("production", 1, "1 hour");
    expect(await due(2)).toEqual(["production-1", "newer"]);
    expect(await due(1)).toEqual(["production-1"]);
  });
});
