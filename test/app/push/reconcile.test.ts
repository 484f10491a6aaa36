import fc from "fast-check";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { activateUnit } from "../../../src/app/activation/activate-unit.ts";
import { followActivations } from "../../../src/app/activation/follow-activations.ts";
import { reconcileTarget } from "../../../src/app/jobs/reconcile-target.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const never = new AbortController().signal;

interface BindingRow {
  readonly settled: { readonly primary?: number };
  readonly evidence: string | null;
}

describeOnAStore("the loop", (database) => {
  let kit: LoopKit;
  let api: ScriptedPlace;
  let vps: ScriptedPlace;

  beforeAll(() => {
    kit = createLoopKit(database());
  });

  beforeEach(async () => {
    await kit.reset();
    api = scriptedPlace(await kit.target("api"));
    vps = scriptedPlace(await kit.target("vps"));
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api", { role: "verifier" });
    await kit.bind("AUTH", "vps", { role: "caller" });
  });

  const pushes = () =>
    kit.rows<{ outcome: string; evidence: string | null }>(
      "select outcome, evidence from push order by started_at",
    );
  const openPushes = () => kit.rows("select 1 from push where outcome in ('started', 'unknown')");
  const bindings = () =>
    kit.rows<BindingRow>(
      "select b.settled, b.evidence from binding b join target t on t.id = b.target_id order by t.name",
    );
  const rollout = async () =>
    (
      await kit.rows<{ state: string; reason: string | null }>(
        "select state, reason from rollout order by started_at desc limit 1",
      )
    )[0];
  const versions = () =>
    kit.rows<{ version: number; state: string }>(
      "select version, state from secret_version order by version",
    );

  it("a rollout is not looked at by each of its targets, but by whoever ends last, and past a place that fails", async () => {
    await kit.set("AUTH", "first");
    await kit.drain();
    await kit.set("AUTH", "second");
    const [apiId = "", vpsId = ""] = await kit.targetIds("api", "vps");
    const movable = () => kit.context.store.read.rollouts.movableAtTarget(apiId);
    expect(await movable()).toEqual([]);
    await reconcileTarget(kit.context, apiId, never);
    expect(await movable()).toEqual([]);
    vps.nextWrites.push({
      kind: "refused",
      error: new LockstepError("TARGET_UNREACHABLE", "Cannot reach vps: the line is dead."),
    });
    await reconcileTarget(kit.context, vpsId, never);
    // The restart at api will move it.
    expect(await movable()).toEqual([]);
    for (const id of await kit.context.store.read.activations.due(10))
      await activateUnit(kit.context, id, never);
    for (const id of await kit.context.store.read.activations.groupsDue(10))
      await followActivations(kit.context, id, never);
    expect(await movable()).toHaveLength(1);
    await kit.hurry();
    await kit.drain();
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(await movable()).toEqual([]);
  });

  it("a new value arrives everywhere, is proven deployed, and the old one retires", async () => {
    await kit.set("AUTH", "first");
    await kit.drain();
    await kit.set("AUTH", "second");
    await kit.drain();
    expect([api.values.get("AUTH"), vps.values.get("AUTH")]).toEqual(["second", "second"]);
    expect(await bindings()).toEqual([
      { settled: { primary: 2 }, evidence: "deployed" },
      { settled: { primary: 2 }, evidence: "deployed" },
    ]);
    expect(await versions()).toEqual([
      { version: 1, state: "retired" },
      { version: 2, state: "current" },
    ]);
    expect(await rollout()).toEqual({ state: "done", reason: null });
    expect(await pushes()).toEqual(Array(4).fill({ outcome: "succeeded", evidence: "deployed" }));
  });

  it("Law 2: a second run writes nothing and restarts nothing", async () => {
    await kit.set("AUTH", "first");
    await kit.drain();
    const before = [api.writes.length, api.restarts, vps.writes.length, vps.restarts];
    await kit.rows("update target set generation = generation + 1");
    await kit.drain();
    expect([api.writes.length, api.restarts, vps.writes.length, vps.restarts]).toEqual(before);
    expect((await pushes()).slice(2)).toEqual(Array(2).fill({ outcome: "unchanged", evidence: "stored" }));
  });

  it("Law 1: without a queue everything still happens, because the sweep reads Postgres", async () => {
    const deaf = kit.other({
      queue: {
        enqueue: () => Promise.reject(new LockstepError("QUEUE_UNAVAILABLE", "away")),
        start: async () => {},
        close: async () => {},
      },
    });
    await kit.set("AUTH", "first", deaf);
    await kit.drain(deaf);
    expect(await rollout()).toMatchObject({ state: "done" });
  });

  it("Law 9: the intent is committed before anything is sent", async () => {
    let seen: readonly unknown[] = [];
    api.beforeWrite = async () => {
      seen = await kit.rows(
        "select p.outcome, i.action from push p join push_item i on i.push_id = p.id where p.outcome = 'started'",
      );
    };
    await kit.set("AUTH", "first");
    await kit.drain();
    expect(seen).toEqual([{ outcome: "started", action: "set" }]);
  });

  it.each(["at-once", "never"] as const)(
    "a lost answer to a write that happened %s is resolved by reading back",
    async (applied) => {
      api.nextWrites.push({ kind: "lost", applied });
      await kit.set("AUTH", "first");
      await kit.drain();
      expect(api.values.get("AUTH")).toBe("first");
      expect(api.writes).toHaveLength(applied === "at-once" ? 1 : 2);
      expect(await openPushes()).toEqual([]);
      expect(await rollout()).toMatchObject({ state: "done" });
      expect(api.restarts).toBe(1);
    },
  );

  it("Law 3: an older write that lands late is never the last one, and nothing above acknowledged is claimed while it could", async () => {
    api.inFlightMs = 60_000;
    await kit.set("AUTH", "first");
    await kit.drain();
    api.nextWrites.push({ kind: "lost", applied: "late" });
    await kit.set("AUTH", "second");
    await kit.drain();
    // A copy of what stands there changes nothing, whenever it comes: that is not waited for.
    expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "deployed" });
    expect(api.restarts).toBe(2);
    await kit.set("AUTH", "third");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("third");
    expect((await bindings())[0]).toEqual({ settled: { primary: 3 }, evidence: "acknowledged" });
    expect(await rollout()).toMatchObject({ state: "running" });
    // No restart either: it might pick up the older value.
    expect(api.restarts).toBe(2);

    api.releaseLateWrites();
    expect(api.values.get("AUTH")).toBe("second");
    await kit.landed();
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("third");
    expect(api.running.get("AUTH")).toBe("third");
    expect((await bindings())[0]).toEqual({ settled: { primary: 3 }, evidence: "deployed" });
    expect(api.restarts).toBe(3);
    expect(await openPushes()).toEqual([]);
    expect(await rollout()).toMatchObject({ state: "done" });
  });

  it.each(["at-once", "never", "late"] as const)(
    "law 5: a lost answer at a place that cannot refuse, to a write that happened %s, costs a look and no waiting",
    async (applied) => {
      api.inFlightMs = 60_000;
      await kit.set("AUTH", "first");
      await kit.drain();
      api.nextWrites.push({ kind: "lost", applied });
      await kit.set("AUTH", "second");
      const looksBefore = api.observes;
      // Nothing here moves the clock: what waited for the minute in which the write may land would not come.
      await kit.drain();
      expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "deployed" });
      expect(await rollout()).toMatchObject({ state: "done" });
      expect(await openPushes()).toEqual([]);
      expect(api.observes - looksBefore).toBeLessThanOrEqual(5);
      // Whoever asks for the same once more asks for nothing else.
      await kit.rows("update target set generation = generation + 1, next_action_at = now()");
      await kit.drain();
      expect(await kit.rows("select 1 from target where generation <> settled_generation")).toEqual([]);
      api.releaseLateWrites();
      expect(api.values.get("AUTH")).toBe("second");
    },
  );

  it("law 3: what was written once, and is seen there under its mark, is in flight no more", async () => {
    api.inFlightMs = 60_000;
    api.keepsMarks = true;
    await kit.set("AUTH", "first");
    await kit.drain();
    api.nextWrites.push({ kind: "lost", applied: "at-once" });
    await kit.set("AUTH", "second");
    await kit.drain();
    await kit.set("AUTH", "third");
    await kit.drain();
    expect((await bindings())[0]).toEqual({ settled: { primary: 3 }, evidence: "deployed" });

    // Written twice: the mark does not tell which of the two it is of.
    api.nextWrites.push({ kind: "lost", applied: "late" }, { kind: "lost", applied: "at-once" });
    await kit.set("AUTH", "fourth");
    await kit.drain();
    expect((await bindings())[0]).toEqual({ settled: { primary: 4 }, evidence: "deployed" });
    await kit.set("AUTH", "fifth");
    await kit.drain();
    expect((await bindings())[0]).toEqual({ settled: { primary: 5 }, evidence: "acknowledged" });
    api.releaseLateWrites();
    expect(api.values.get("AUTH")).toBe("fourth");
    await kit.landed();
    await kit.drain();
    expect(api.running.get("AUTH")).toBe("fifth");
    expect((await bindings())[0]).toEqual({ settled: { primary: 5 }, evidence: "deployed" });
  });

  it("law 3: what another content under the same number may still become is waited for", async () => {
    api.inFlightMs = 60_000;
    await kit.set("AUTH", "first");
    await kit.drain();
    api.nextWrites.push({ kind: "lost", applied: "late" });
    const { version } = await kit.set("AUTH", "second");
    const [apiId = ""] = await kit.targetIds("api");
    await reconcileTarget(kit.context, apiId, never);
    // Without new intent nothing is wanted there any more but what stands there.
    await kit.rows(`update secret_version set state = 'abandoned' where version = ${version}`);
    await kit.rows("update secret_version set state = 'current' where version = 1");
    await kit.rows("update rollout set state = 'abandoned' where state in ('running', 'stalled')");
    await reconcileTarget(kit.context, apiId, never);
    expect(
      await kit.rows(`select 1 from target where id = '${apiId}' and generation <> settled_generation`),
    ).toHaveLength(1);
    api.releaseLateWrites();
    await kit.landed();
    await reconcileTarget(kit.context, apiId, never);
    expect(api.values.get("AUTH")).toBe("first");
  });

  it("law 3: whatever is lost, late or gone, nothing that still lands changes a place that is called settled", async () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant("set" as const),
        applied: fc.constantFrom("ok", "at-once", "never", "late"),
      }),
      fc.record({ do: fc.constant("again" as const), applied: fc.constantFrom("at-once", "never", "late") }),
      fc.constant({ do: "land" as const, applied: "ok" as const }),
      fc.constant({ do: "wait" as const, applied: "ok" as const }),
    );
    let value = 0;
    const play = async (
      steps: readonly (typeof step extends fc.Arbitrary<infer One> ? One : never)[],
      marks: boolean,
    ) => {
      await kit.reset();
      api = scriptedPlace(await kit.target("api"));
      api.inFlightMs = 60_000;
      api.keepsMarks = marks;
      await kit.secret("AUTH");
      await kit.bind("AUTH", "api");
      for (const { do: what, applied } of steps) {
        if (what === "land") api.releaseLateWrites();
        // Time has passed by which whatever was sent has landed.
        if (what === "wait") {
          api.releaseLateWrites();
          await kit.landed();
        }
        if (applied !== "ok") api.nextWrites.push({ kind: "lost", applied });
        if (what === "set" || what === "again") {
          value += 1;
          await kit.set("AUTH", `value-${value}`);
        }
        await kit.drain();
        const settled = await kit.rows(
          "select 1 from target t join binding b on b.target_id = t.id where t.generation = t.settled_generation and b.evidence <> 'acknowledged'",
        );
        if (settled.length === 0) continue;
        const seen = api.values.get("AUTH");
        expect(seen).toBe(`value-${value}`);
        const late = [...api.lateWrites];
        for (const land of late) land();
        expect(api.values.get("AUTH")).toBe(seen);
      }
      api.releaseLateWrites();
      await kit.landed();
      await kit.drain();
      if (value > 0 && steps.some(({ do: what }) => what === "set" || what === "again"))
        expect([api.values.get("AUTH"), api.running.get("AUTH")]).toEqual(Array(2).fill(`value-${value}`));
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 5 }), fc.boolean(), play), {
      numRuns: 6,
      seed: 20_261,
      examples: [
        [
          [
            { do: "set", applied: "ok" },
            { do: "set", applied: "late" },
            { do: "set", applied: "ok" },
            { do: "land", applied: "ok" },
          ],
          true,
        ],
        [
          [
            { do: "set", applied: "late" },
            { do: "set", applied: "late" },
            { do: "set", applied: "at-once" },
            { do: "set", applied: "ok" },
          ],
          false,
        ],
      ],
    });
  }, 120_000);

  it("law 5: a write that was acknowledged and could not be looked at owes its restart", async () => {
    await kit.set("AUTH", "first");
    await kit.drain();
    await kit.set("AUTH", "second");
    api.nextLooks.push(null, new LockstepError("TARGET_UNAVAILABLE", "Railway answered 503"));
    await kit.drain();
    await kit.hurry();
    await kit.drain();
    expect(api.running.get("AUTH")).toBe("second");
    expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "deployed" });
    expect(await openPushes()).toEqual([]);
  });

  /** A worker that is frozen between its intent and its write, while another takes its lease over. */
  async function freezeAndTakeOver(): Promise<{ readonly thaw: () => Promise<void> }> {
    const [targetId] = await kit.targetIds("api");
    let go = (): void => {};
    const frozen = new Promise<void>((resolve) => {
      api.beforeWrite = async () => {
        api.beforeWrite = async () => {};
        resolve();
        await new Promise<void>((thawed) => {
          go = thawed;
        });
      };
    });
    await kit.set("AUTH", "first");
    const slow = reconcileTarget(kit.other(), targetId ?? "", never);
    await frozen;
    await kit.rows("update target set lease_until = now() - interval '1 second'");
    await kit.set("AUTH", "second");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("second");
    return {
      thaw: async () => {
        go();
        await slow;
      },
    };
  }

  it("Law 3: where the place can refuse, a frozen worker's older write is refused", async () => {
    api.conditionalWrite = true;
    const { thaw } = await freezeAndTakeOver();
    await thaw();
    expect(api.values.get("AUTH")).toBe("second");
    await kit.hurry();
    await kit.drain();
    expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "deployed" });
    expect(await openPushes()).toEqual([]);
  });

  it("Law 3: where the place cannot refuse, a frozen worker's older write is recorded by nobody, found and corrected", async () => {
    api.inFlightMs = 60_000;
    const { thaw } = await freezeAndTakeOver();
    await thaw();
    expect(api.values.get("AUTH")).toBe("first");
    expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "acknowledged" });
    expect(await rollout()).toMatchObject({ state: "running" });
    await kit.landed();
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("second");
    expect(api.running.get("AUTH")).toBe("second");
    expect((await bindings())[0]).toEqual({ settled: { primary: 2 }, evidence: "deployed" });
    expect(await openPushes()).toEqual([]);
    expect(await rollout()).toMatchObject({ state: "done" });
  });

  it("Law 5: what cannot be read is not taken as stored", async () => {
    api.unreadable = true;
    await kit.set("AUTH", "first");
    await kit.drain();
    expect(api.writes).toHaveLength(0);
    expect(await rollout()).toMatchObject({ state: "stalled" });
  });

  it("Law 6: a foreign value is not overwritten without a word, and other keys are still written", async () => {
    await kit.secret("OTHER");
    await kit.bind("OTHER", "api");
    api.values.set("AUTH", "theirs");
    await kit.set("AUTH", "ours");
    await kit.set("OTHER", "fine");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("theirs");
    expect(api.values.get("OTHER")).toBe("fine");
    const stalled = (
      await kit.rows<{ reason: string }>("select reason from rollout where state = 'stalled'")
    )[0];
    expect(stalled?.reason).toContain("AUTH (unknown)");

    await kit.rows("update binding set take_over = true");
    const [open] = await kit.rows<{ id: string }>("select id from rollout where state = 'stalled'");
    await resumeRollout(kit.context, TESTER, open?.id ?? "");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("ours");
    expect(await kit.rows("select 1 from rollout where state in ('running', 'stalled')")).toEqual([]);
  });

  it("Law 7: one refusing place does not stop the other, holds the rollout, and goes on after a resume", async () => {
    api.nextWrites.push({
      kind: "refused",
      error: new LockstepError("TARGET_CREDENTIAL_REJECTED", "the token was refused"),
    });
    await kit.set("AUTH", "first");
    await kit.drain();
    expect(vps.values.get("AUTH")).toBe("first");
    expect(await rollout()).toEqual({ state: "stalled", reason: "api (AUTH): the token was refused" });
    expect(api.restarts).toBe(0);

    const [open] = await kit.rows<{ id: string }>("select id from rollout");
    await resumeRollout(kit.context, TESTER, open?.id ?? "");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("first");
    expect(await rollout()).toEqual({ state: "done", reason: null });
  });

  it("a place that is away is tried again for as long as it takes", async () => {
    for (let i = 0; i < 12; i += 1) {
      api.nextWrites.push({ kind: "refused", error: new LockstepError("TARGET_UNREACHABLE", "away") });
    }
    await kit.set("AUTH", "first");
    for (let i = 0; i < 13; i += 1) {
      await kit.drain();
      await kit.hurry();
    }
    expect(api.values.get("AUTH")).toBe("first");
    expect(await rollout()).toMatchObject({ state: "done" });
  });

  it("a unit that fails to start is tried once more, then blocked, and the rollout says so", async () => {
    api.nextActivations.push("fail", "fail");
    await kit.set("AUTH", "first");
    await kit.drain();
    expect(api.restarts).toBe(2);
    const stalled = await rollout();
    expect(stalled?.state).toBe("stalled");
    expect(stalled?.reason).toContain("the unit did not start");
    const [open] = await kit.rows<{ id: string }>("select id from rollout");
    await resumeRollout(kit.context, TESTER, open?.id ?? "");
    await kit.drain();
    expect(await rollout()).toEqual({ state: "done", reason: null });
    expect(api.restarts).toBe(3);
  });

  it("what a unit cannot run with is put back when no other place holds the secret, and only then", async () => {
    await kit.secret("ALONE");
    const solo = scriptedPlace(await kit.target("solo2"));
    await kit.bind("ALONE", "solo2");
    await kit.set("ALONE", "good");
    await kit.drain();
    solo.nextActivations.push("fail", "fail");
    await kit.set("ALONE", "bad");
    await kit.drain();
    expect(solo.values.get("ALONE")).toBe("good");
    expect(solo.restores).toBe(1);
    expect(await rollout()).toMatchObject({ state: "stalled" });
    expect((await rollout())?.reason).toContain("was put back");

    api.nextActivations.push("fail", "fail");
    await kit.set("AUTH", "shared");
    await kit.drain();
    expect(api.values.get("AUTH")).toBe("shared");
    expect(api.restores).toBe(0);

    await kit.set("ALONE", "better");
    await kit.drain();
    expect(solo.running.get("ALONE")).toBe("better");
    expect(solo.discards).toBe(2);
  });

  it("two secrets of one unit are merged into one restart", async () => {
    await kit.secret("OTHER");
    await kit.bind("OTHER", "api");
    await kit.set("AUTH", "one");
    await kit.set("OTHER", "two");
    const [targetId] = await kit.targetIds("api");
    await reconcileTarget(kit.context, targetId ?? "", never);
    await kit.drain();
    expect(api.restarts).toBe(1);
    expect(Object.fromEntries(api.running)).toEqual({ AUTH: "one", OTHER: "two" });
  });

  it("a newer version supersedes a rollout that hangs", async () => {
    vps.nextWrites.push({
      kind: "refused",
      error: new LockstepError("TARGET_CREDENTIAL_REJECTED", "refused"),
    });
    await kit.set("AUTH", "first");
    await kit.drain();
    await kit.set("AUTH", "second");
    await kit.drain();
    expect(vps.values.get("AUTH")).toBe("second");
    expect(await kit.rows("select state from rollout order by started_at")).toEqual([
      { state: "abandoned" },
      { state: "done" },
    ]);
    expect(await versions()).toEqual([
      { version: 1, state: "retired" },
      { version: 2, state: "current" },
    ]);
  });

  it("a place that already holds the value is adopted without a write or a restart", async () => {
    api.values.set("AUTH", "same");
    vps.values.set("AUTH", "same");
    await kit.set("AUTH", "same");
    await kit.drain();
    expect([api.writes.length, vps.writes.length, api.restarts, vps.restarts]).toEqual([0, 0, 0, 0]);
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(await bindings()).toEqual(Array(2).fill({ settled: { primary: 1 }, evidence: "stored" }));
  });

  it("Law 8: no value is in any column of the database", async () => {
    await kit.set("AUTH", "canary-2c9f7e");
    await kit.drain();
    const tables = await kit.rows<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public'",
    );
    expect(tables.length).toBeGreaterThan(15);
    for (const { name } of tables) {
      const text = JSON.stringify(await kit.rows(`select * from "${name}"`));
      expect(text.includes("canary-2c9f7e"), name).toBe(false);
    }
  });
});
