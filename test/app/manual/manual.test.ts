/** Places in other hands: told step by step, shown once, and believed when a person says so. */
import { beforeEach, expect, it } from "vitest";
import { manualKind } from "../../../src/adapters/targets/manual/target.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { runDoctor } from "../../../src/app/doctor/run-doctor.ts";
import { checkTargets } from "../../../src/app/drift/check-targets.ts";
import { confirmStep, listSteps, revealStep, viewStep } from "../../../src/app/manual/steps.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import { testTarget } from "../../../src/app/targets/test-target.ts";
import { describeOnAStore, somebodyWaitsForLock } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "API_KEY";
const AT = { environment: "production", target: "partner" };
const never = new AbortController().signal;

describeOnAStore("a place in other hands", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let api: ScriptedPlace;

  beforeEach(async () => {
    kit = createLoopKit(database(), { isJudged: true });
    await kit.reset();
    context = kit.other({ targetKinds: new Map([...kit.context.targetKinds, ["manual", manualKind]]) });
    await kit.target("partner");
    const { config } = manualKind.parse({ manual: { instructions: "Console, page Keys.\nNever by mail." } });
    await kit.rows(
      `update target set kind = 'manual', destination = 'manual', config = '${JSON.stringify(config)}' where name = 'partner'`,
    );
    api = scriptedPlace(await kit.target("api"));
    await kit.secret(KEY);
    await kit.bind(KEY, "api", { role: "verifier", said: { acceptsFallback: "attested" } });
    await kit.bind(KEY, "partner", { role: "caller" });
    await kit.set(KEY, "canary-one", context);
    await kit.drain(context);
  });

  const rollout = async () => {
    const [row] = await kit.rows<{ id: string; phase: string; state: string }>(
      "select id, phase, state from rollout order by started_at desc limit 1",
    );
    if (row === undefined) throw new Error("no rollout");
    return row;
  };
  const confirm = async () => {
    const { generation } = await viewStep(context, AT);
    await confirmStep(context, TESTER, AT, generation);
    await kit.drain(context);
  };
  const settled = async () => {
    await kit.rows("update rollout set phase_started_at = now() - interval '30 days' where phase = 'settle'");
    await kit.hurry();
    await kit.drain(context);
  };

  it("waits for a person, with what is to be done and how", async () => {
    expect(await rollout()).toMatchObject({ state: "running" });
    expect(await listSteps(context, { open: true })).toEqual([
      {
        ...AT,
        generation: expect.any(Number),
        isOpen: true,
        instructions: "Console, page Keys.\nNever by mail.",
        keys: [{ key: KEY, secret: KEY, do: "set", version: 1, before: null }],
      },
    ]);
    const { members, bindings } = await viewRollout(context, (await rollout()).id);
    expect(bindings.find(({ target }) => target === "partner")).toMatchObject({
      state: "owed",
      reason: "A person must bring what is new to partner: `lockstep step show partner`.",
    });
    expect(members.find(({ target }) => target === "partner")?.waitsFor).toContain(
      "v1 is not stored there yet",
    );
    const { findings } = await runDoctor(context, { live: true, timeoutMs: 5_000 }, never);
    expect(findings.filter(({ target }) => target === "partner")).toMatchObject([
      { id: "step-open", command: "lockstep step show partner" },
    ]);
    await confirm();
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(await listSteps(context, { open: true })).toEqual([]);
    expect(await runDoctor(context, { live: true, timeoutMs: 5_000 }, never)).toMatchObject({ findings: [] });
  });

  it("takes nobody's time while it waits", async () => {
    expect(await context.store.read.targets.due(10)).toEqual([]);
    const pushes = await kit.rows("select id from push");
    await kit.hurry();
    await kit.drain(context);
    expect(await kit.rows("select id from push")).toEqual(pushes);
  });

  it("is moved in order: the old value is accepted until a person has brought the new one", async () => {
    await confirm();
    await kit.set(KEY, "canary-two", context);
    await kit.drain(context);
    expect((await rollout()).phase).toBe("switch");
    await settled();
    expect([api.running.get(KEY), api.running.get(`${KEY}_FALLBACK`)].sort()).toEqual([
      "canary-one",
      "canary-two",
    ]);
    expect((await viewStep(context, AT)).keys).toEqual([
      { key: KEY, secret: KEY, do: "set", version: 2, before: 1 },
    ]);
    await confirm();
    await settled();
    expect(await rollout()).toMatchObject({ phase: "retire", state: "done" });
    expect([...api.running.values()]).toEqual(["canary-two"]);
  });

  it("shows each value once, on record", async () => {
    const { generation } = await viewStep(context, AT);
    const value = await revealStep(context, TESTER, AT, { generation, key: KEY });
    expect(value.reveal()).toBe("canary-one");
    await expect(revealStep(context, TESTER, AT, { generation, key: KEY })).rejects.toMatchObject({
      code: "STEP_REVEALED",
    });
    await confirm();
    const entries = await kit.rows<{ action: string }>(
      "select a.* from audit_entry a join target t on t.id::text = a.subject_id where a.action like 'step.%' order by a.at",
    );
    expect(entries.map(({ action }) => action)).toEqual(["step.revealed", "step.confirmed"]);
    expect(JSON.stringify(entries)).not.toContain("canary");
    await expect(revealStep(context, TESTER, AT, { generation, key: "OTHER" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("believes nobody who speaks of an older step", async () => {
    await confirm();
    const { generation } = await viewStep(context, AT);
    await kit.set(KEY, "canary-two", context);
    await kit.drain(context);
    await expect(confirmStep(context, TESTER, AT, generation)).rejects.toMatchObject({
      code: "PLAN_CHANGED",
    });
    await expect(revealStep(context, TESTER, AT, { generation, key: KEY })).rejects.toMatchObject({
      code: "PLAN_CHANGED",
    });
    expect((await rollout()).phase).toBe("switch");
  });

  it("ruling 28: a step that ended while it was shown or confirmed is neither", async () => {
    const { generation } = await viewStep(context, AT);
    const given = { generation, key: KEY };
    for (const act of [
      () => revealStep(context, TESTER, AT, given),
      () => confirmStep(context, TESTER, AT, generation),
    ]) {
      const holder = await database().openPool().connect();
      await holder.query("begin");
      await holder.query("update target set generation = generation + 1 where name = 'partner'");
      const late = act();
      const refused = expect(late).rejects.toMatchObject({ code: "PLAN_CHANGED" });
      await somebodyWaitsForLock(database());
      await holder.query("commit");
      await refused;
      await holder.query("update target set generation = generation - 1 where name = 'partner'");
      holder.release();
    }
    expect(await kit.rows("select from manual_place")).toEqual([]);
    expect((await revealStep(context, TESTER, AT, given)).reveal()).toBe("canary-one");
  });

  it("can be checked and tested without anybody being asked", async () => {
    const named = { environment: "production", name: "partner" };
    expect(await testTarget(context, named, never)).toMatchObject({ ok: true, kind: "manual" });
    await confirm();
    const record = await context.store.read.targets.findByName("production", "partner");
    const [checked] = await checkTargets(context, record === null ? [] : [record], never);
    expect(checked).toMatchObject({ error: null, bindings: [{ state: "in-sync" }] });
  });

  it("is found by its own name alone", async () => {
    for (const target of ["api", "nowhere"])
      await expect(viewStep(context, { ...AT, target })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
