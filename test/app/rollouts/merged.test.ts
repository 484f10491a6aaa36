/** Changes of several secrets at one unit: one restart for all, and when it fails, only the broken one stands still. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { rollbackRollout } from "../../../src/app/rollouts/rollback-rollout.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const SECRETS = ["A", "B", "C"] as const;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly phase: string;
  readonly reason: string | null;
}

describeOnAStore("changes of several secrets at one unit", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let api: ScriptedPlace;
  let callers: ReadonlyMap<string, ScriptedPlace>;
  let refused: string[];
  /** Between two steps of the loop. */
  let meanwhile: () => Promise<void>;

  /** What any caller sends is accepted by what the verifier was started with. */
  const watch = (): void => {
    for (const [name, caller] of callers) {
      const sent = caller.running.get(name);
      const accepted = [api.running.get(name), api.running.get(`${name}_FALLBACK`)];
      if (sent !== undefined && !accepted.includes(sent)) refused.push(`${name}: ${sent} refused`);
    }
  };

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({
      checkpoint: async () => {
        watch();
        await meanwhile();
      },
    });
  });

  beforeEach(async () => {
    await kit.reset();
    meanwhile = async () => {};
    callers = new Map();
    api = scriptedPlace(await kit.target("api"));
    const made = new Map<string, ScriptedPlace>();
    for (const name of SECRETS) {
      const caller = `calls-with-${name}`;
      made.set(name, scriptedPlace(await kit.target(caller)));
      await kit.secret(name);
      await kit.bind(name, "api", { role: "verifier", said: { acceptsFallback: "attested" } });
      await kit.bind(name, caller, { role: "caller" });
      await kit.set(name, "one", context);
    }
    await kit.drain(context);
    callers = made;
    refused = [];
  });

  const rollouts = async (): Promise<Readonly<Record<string, Row>>> => {
    const rows = await kit.rows<Row>(`
      select distinct on (s.name) r.id, s.name, r.state, r.phase, r.reason from rollout r join secret s on s.id = r.secret_id
      order by s.name, r.started_at desc`);
    return Object.fromEntries(rows.map((row) => [row.name, row]));
  };
  const states = async () =>
    Object.fromEntries(Object.entries(await rollouts()).map(([name, { state }]) => [name, state]));
  /** Everything waits as long as it must; whatever is due happens. */
  const rest = async (): Promise<void> => {
    for (let round = 0; round < 30; round += 1) {
      const before = api.restarts;
      await kit.rows(
        "update rollout set phase_started_at = now() - interval '30 days' where phase = 'settle'",
      );
      await kit.hurry();
      await kit.drain(context);
      watch();
      if (api.restarts === before && round > 3) return;
    }
    throw new Error("the unit is restarted for ever");
  };
  const change = async (...names: readonly string[]): Promise<void> => {
    for (const name of names) await kit.set(name, "two", context);
    await kit.drain(context);
    await rest();
  };
  const holds = (values: ReadonlyMap<string, string>, name: string, value: string): boolean =>
    values.get(name) === value || values.get(`${name}_FALLBACK`) === value;

  it("restart it once for each phase, not once for each secret", async () => {
    const before = api.restarts;
    for (const name of SECRETS) await kit.set(name, "two", context);
    await kit.drain(context);
    expect(api.writes.length).toBeGreaterThan(0);
    await kit.hurry();
    await kit.drain(context);
    expect(api.restarts - before).toBe(1);
    expect(Object.values(await rollouts()).map(({ phase }) => phase)).not.toContain("accept");
    await rest();
    expect(await states()).toEqual({ A: "done", B: "done", C: "done" });
    expect(refused).toEqual([]);
  });

  it.each(SECRETS)("stall the broken one alone, also when it is %s", async (broken) => {
    api.cannotStartWith = (values) => holds(values, broken, "two");
    await change("A", "B", "C");
    const others = SECRETS.filter((name) => name !== broken);
    expect(await states()).toEqual({
      ...Object.fromEntries(others.map((name) => [name, "done"])),
      [broken]: "stalled",
    });
    expect((await rollouts())[broken]).toMatchObject({
      phase: "accept",
      reason: expect.stringContaining("the unit did not start"),
    });
    for (const name of others)
      expect([...api.running].filter(([key]) => key.startsWith(name))).toEqual([[name, "two"]]);
    // It runs, and with what the broken one had before.
    expect([...api.values].filter(([key]) => key.startsWith(broken))).toEqual([[broken, "one"]]);
    expect(api.running).toEqual(api.values);
    expect(callers.get(broken)?.running.get(broken)).toBe("one");
    expect(refused).toEqual([]);
  });

  it("stall both broken ones, and the unit runs with what it had", async () => {
    api.cannotStartWith = (values) => holds(values, "A", "two") || holds(values, "B", "two");
    await change("A", "B", "C");
    expect(await states()).toEqual({ A: "stalled", B: "stalled", C: "done" });
    expect(api.running).toEqual(
      new Map([
        ["A", "one"],
        ["B", "one"],
        ["C", "two"],
      ]),
    );
    expect(refused).toEqual([]);
  });

  it("go on when what was broken is repaired", async () => {
    api.cannotStartWith = (values) => holds(values, "B", "two");
    await change("A", "B");
    api.cannotStartWith = () => false;
    await resumeRollout(context, TESTER, (await rollouts())["B"]?.id ?? "");
    await rest();
    expect(await states()).toMatchObject({ A: "done", B: "done" });
    expect(api.running.get("B")).toBe("two");
    expect(refused).toEqual([]);
  });

  it("can be gone back on while one is set aside", async () => {
    api.cannotStartWith = (values) => holds(values, "A", "two");
    await change("A", "B");
    api.cannotStartWith = () => false;
    await rollbackRollout(context, TESTER, (await rollouts())["A"]?.id ?? "");
    await rest();
    expect(await states()).toMatchObject({ A: "done", B: "done" });
    expect([api.running.get("A"), callers.get("A")?.running.get("A")]).toEqual(["one", "one"]);
    expect(refused).toEqual([]);
  });

  it("say of one that waits what it waits for, and end where only both together are too much", async () => {
    api.cannotStartWith = (values) => holds(values, "A", "two") && holds(values, "B", "two");
    const said = new Set<string | null>();
    meanwhile = async () => {
      const { B } = await rollouts();
      for (const { waitsFor } of (await viewRollout(context, B?.id ?? "")).members) said.add(waitsFor);
    };
    await change("A", "B");
    expect([...said].join("\n")).toContain("another one is tried alone first");
    expect(await states()).toMatchObject({ A: "done", B: "stalled" });
    expect(api.running.get("A")).toBe("two");
    expect(api.running).toEqual(api.values);
    expect(refused).toEqual([]);
  });

  it("put a single broken change back too, so that the others' go on", async () => {
    api.cannotStartWith = (values) => holds(values, "A", "two");
    await change("A");
    expect((await rollouts())["A"]).toMatchObject({
      state: "stalled",
      phase: "accept",
      reason: expect.stringContaining("was put back"),
    });
    expect(api.running).toEqual(api.values);
    const before = api.restarts;
    await change("B");
    expect(await states()).toMatchObject({ A: "stalled", B: "done" });
    expect(api.restarts - before).toBe(2);
    expect(refused).toEqual([]);
  });
});
