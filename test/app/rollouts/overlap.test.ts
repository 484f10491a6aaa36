import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { advanceRollout } from "../../../src/app/rollouts/advance-rollout.ts";
import { forceMember } from "../../../src/app/rollouts/force-member.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { rollbackRollout } from "../../../src/app/rollouts/rollback-rollout.ts";
import { destroyVersion } from "../../../src/app/secrets/destroy-version.ts";
import { markCompromised } from "../../../src/app/secrets/mark-compromised.ts";
import type { Prober } from "../../../src/core/ports/prober.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "AUTH";
const FALLBACK = "AUTH_FALLBACK";

interface RolloutRow {
  readonly id: string;
  readonly phase: string;
  readonly state: string;
  readonly reason: string | null;
  readonly held: boolean;
}

describeOnAStore("overlap", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let api: ScriptedPlace;
  let worker: ScriptedPlace;
  let cron: ScriptedPlace;
  /** Violations of law 4, seen at any restart or write. */
  let refused: string[];
  /** Verifiers that hold a fallback and ignore it. */
  let deaf: Set<ScriptedPlace>;

  const accepts = (place: ScriptedPlace, value: string | undefined): boolean =>
    value !== undefined &&
    (place.running.get(KEY) === value || (!deaf.has(place) && place.running.get(FALLBACK) === value));

  /** What may be sent (running or stored) lies within what is accepted. */
  const watch = (): void => {
    for (const caller of [worker, cron]) {
      for (const sent of [caller.running.get(KEY), caller.values.get(KEY)]) {
        if (sent !== undefined && !accepts(api, sent)) refused.push(`${sent} refused`);
      }
    }
  };

  const sent: string[] = [];
  const asked: Prober = {
    probe: async (_spec, value) => {
      watch();
      sent.push(value.reveal());
      return accepts(api, value.reveal())
        ? { verdict: "accepted", reason: "answered 200" }
        : { verdict: "refused", reason: "answered 401" };
    },
  };

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({ prober: asked, checkpoint: async () => watch() });
  });

  beforeEach(async () => {
    await kit.reset();
    refused = [];
    deaf = new Set();
    api = scriptedPlace(await kit.target("api"));
    worker = scriptedPlace(await kit.target("worker"));
    cron = scriptedPlace(await kit.target("cron"));
    await kit.secret(KEY);
    await kit.bind(KEY, "api", {
      role: "verifier",
      said: { probe: { http: { url: "http://127.0.0.1:1/" } } },
    });
    await kit.bind(KEY, "worker", { role: "caller" });
    await kit.bind(KEY, "cron", { role: "caller" });
    await kit.set(KEY, "one", context);
    await kit.drain(context);
    refused = [];
  });

  const rollout = async (): Promise<RolloutRow> => {
    const [row] = await kit.rows<RolloutRow>(
      "select id, phase, state, reason, held from rollout order by started_at desc limit 1",
    );
    if (row === undefined) throw new Error("no rollout");
    return row;
  };
  const versions = async () =>
    (
      await kit.rows<{ version: number; state: string }>(
        "select version, state from secret_version order by version",
      )
    ).map(({ version, state }) => `${version} ${state}`);
  /** The old version has been accepted for as long as it must be. */
  const settled = async (): Promise<void> => {
    await kit.rows(
      "update rollout set phase_started_at = now() - interval '30 days', next_action_at = now()",
    );
    await kit.drain(context);
  };
  /** The next time that anybody looks. */
  const later = async (): Promise<void> => {
    await kit.rows("update binding set looked_at = looked_at - interval '1 hour'");
    await kit.hurry();
    await kit.drain(context);
  };

  it("moves verifiers first, callers next, and takes the old value away when they have left: nothing is refused", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    expect(await rollout()).toMatchObject({ phase: "settle", state: "running" });
    expect([api.running.get(KEY), api.running.get(FALLBACK)]).toEqual(["one", "two"]);
    expect([worker.running.get(KEY), cron.running.get(KEY)]).toEqual(["two", "two"]);
    expect(await versions()).toEqual(["1 retiring", "2 current"]);

    await settled();
    expect(await rollout()).toMatchObject({ phase: "retire", state: "done" });
    expect([api.running.get(KEY), api.running.get(FALLBACK)]).toEqual(["two", undefined]);
    expect(api.values.has(FALLBACK)).toBe(false);
    expect(await versions()).toEqual(["1 retired", "2 current"]);
    expect(refused).toEqual([]);
  });

  it("takes the fallback away whose write was never answered, though reading back is all that shows it", async () => {
    api.inFlightMs = 60_000;
    api.nextWrites.push({ kind: "lost", applied: "at-once" });
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    expect(api.values.get(FALLBACK)).toBe("two");
    await kit.landed();
    await kit.hurry();
    await kit.drain(context);
    api.inFlightMs = 0;
    expect(await rollout()).toMatchObject({ phase: "settle" });
    await settled();
    await kit.landed();
    await kit.hurry();
    await kit.drain(context);
    expect(api.values.has(FALLBACK)).toBe(false);
    expect(await rollout()).toMatchObject({ phase: "retire", state: "done" });
    expect(refused).toEqual([]);
  });

  it("restarts a verifier twice and a caller once", async () => {
    const before = [api.restarts, worker.restarts];
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await settled();
    expect([api.restarts - (before[0] ?? 0), worker.restarts - (before[1] ?? 0)]).toEqual([2, 1]);
  });

  it("stops before any caller moves when the verifier holds the fallback and ignores it, and says so", async () => {
    deaf.add(api);
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    const now = await rollout();
    expect(now).toMatchObject({ phase: "accept", state: "stalled" });
    expect(now.reason).toContain("refuses");
    expect(worker.values.get(KEY)).toBe("one");
    expect(refused).toEqual([]);

    deaf.delete(api);
    await later();
    expect(await rollout()).toMatchObject({ phase: "settle", state: "running" });
    expect(refused).toEqual([]);
  });

  it("holds further callers when a verifier is not any more what it was, and goes on when it is again", async () => {
    worker.nextActivations.push("fail", "fail");
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    expect(await rollout()).toMatchObject({ phase: "switch", state: "stalled" });
    api.values.delete(FALLBACK);
    api.running = new Map(api.values);
    await later();
    expect(await rollout()).toMatchObject({ phase: "switch", held: true, state: "stalled" });

    api.values.set(FALLBACK, "two");
    api.running = new Map(api.values);
    await later();
    expect(await rollout()).toMatchObject({ phase: "switch", held: false });
  });

  it("does not retire the old value before a late caller has left", async () => {
    cron.nextActivations.push("fail", "fail");
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await settled();
    expect(await rollout()).toMatchObject({ phase: "switch", state: "stalled" });
    expect(api.running.get(KEY)).toBe("one");
    expect(refused).toEqual([]);
  });

  it.each(["accept", "switch", "settle", "done"] as const)(
    "goes back from %s without a refusal, everywhere",
    async (from) => {
      if (from === "accept") deaf.add(api);
      if (from === "switch") cron.nextActivations.push("fail", "fail");
      await kit.set(KEY, "two", context);
      await kit.drain(context);
      if (from === "done") await settled();
      expect((await rollout()).phase).toBe(from === "done" ? "retire" : from);
      deaf.clear();
      await rollbackRollout(context, TESTER, (await rollout()).id);
      await kit.drain(context);
      await later();
      await settled();
      expect(await rollout()).toMatchObject({ state: "done" });
      for (const place of [api, worker, cron]) {
        expect([place.running.get(KEY), place.values.get(FALLBACK)]).toEqual(["one", undefined]);
      }
      expect(await versions()).toEqual(["1 current", from === "accept" ? "2 abandoned" : "2 retired"]);
      expect(refused).toEqual([]);
    },
  );

  it("going back is itself gone back on: the value that some callers never left stays accepted", async () => {
    cron.nextActivations.push("fail", "fail");
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await rollbackRollout(context, TESTER, (await rollout()).id);
    await rollbackRollout(context, TESTER, (await rollout()).id);
    expect(await rollout()).toMatchObject({ phase: "accept" });
    await resumeRollout(context, TESTER, (await rollout()).id);
    await kit.drain(context);
    await later();
    await settled();
    expect(await rollout()).toMatchObject({ state: "done" });
    expect([api, worker, cron].map((place) => place.running.get(KEY))).toEqual(["two", "two", "two"]);
    expect(refused).toEqual([]);
  });

  it("a newer version takes the place of one that nobody was sent to", async () => {
    deaf.add(api);
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    deaf.clear();
    await kit.set(KEY, "three", context);
    await kit.drain(context);
    await settled();
    expect(worker.running.get(KEY)).toBe("three");
    expect(await versions()).toEqual(["1 retired", "2 abandoned", "3 current"]);
    expect(refused).toEqual([]);
  });

  it("refuses a third version while two are in use", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await expect(kit.set(KEY, "three", context)).rejects.toMatchObject({ code: "ROLLOUT_OPEN" });
  });

  it("a place that a person takes out holds nothing up any more, on record", async () => {
    cron.nextActivations.push("fail", "fail");
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    const { id } = await rollout();
    await forceMember(context, TESTER, id, { target: "cron", reason: "switched off for good" });
    await kit.drain(context);
    expect(await rollout()).toMatchObject({ phase: "settle" });
    expect(
      await kit.rows(
        "select details ->> 'reason' as reason from audit_entry where action = 'rollout.forced'",
      ),
    ).toEqual([{ reason: "switched off for good" }]);
  });

  it("keeps the old value for going back, and destroys it only afterwards", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await settled();
    const destroy = () => destroyVersion(context, TESTER, { environment: "production", name: KEY }, 1);
    await expect(destroy()).rejects.toMatchObject({
      code: "VERSION_IN_USE",
      message: expect.stringContaining("kept for going back"),
    });
    await kit.rows("update rollout set ended_at = ended_at - interval '8 days'");
    await destroy();
    await expect(rollbackRollout(context, TESTER, (await rollout()).id)).rejects.toMatchObject({
      code: "VERSION_STATE",
    });
  });

  it("sends a value that others know nowhere any more, not even to be refused", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    await markCompromised(context, TESTER, { environment: "production", name: KEY }, 1);
    sent.length = 0;
    await later();
    expect(sent).toContain("two");
    expect(sent).not.toContain("one");
  });

  it("a look that began before a write says nothing about what stands there since", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    const [{ id, digest } = { id: "", digest: "" }] = await kit.rows<{ id: string; digest: string }>(
      "select b.id, b.settled_digest as digest from binding b join target t on t.id = b.target_id where t.name = 'api'",
    );
    const record = (beganAtMs: number) =>
      context.store.transaction((tx) =>
        tx.targets.recordObservation({
          bindingId: id,
          settledDigest: digest,
          beganAtMs,
          judge: () => ({ evidence: null, lacks: true, reason: "seen" }),
          lives: null,
          acceptance: {},
          used: null,
          usedBy: null,
        }),
      );
    const reason = async () =>
      (
        await kit.rows<{ reason: string | null }>(
          `select look_reason as reason from binding where id = '${id}'`,
        )
      )[0]?.reason;
    await kit.rows("update binding set looked_at = null");
    await record(Date.now() - 3_600_000);
    expect(await reason()).not.toBe("seen");
    await record(Date.now() + 1_000);
    expect(await reason()).toBe("seen");
    await kit.rows("update binding set look_reason = null");
    await record(Date.now());
    expect(await reason()).toBeNull();
  });

  it("asking again changes nothing", async () => {
    await kit.set(KEY, "two", context);
    await kit.drain(context);
    const writes = api.writes.length + worker.writes.length + cron.writes.length;
    await advanceRollout(context, (await rollout()).id);
    await kit.hurry();
    await kit.drain(context);
    expect(api.writes.length + worker.writes.length + cron.writes.length).toBe(writes);
  });
});
