/** A rollout that a newer release began, met by this one: while both run, and after going back. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import { loadDesired } from "../../../src/app/desired/desired.ts";
import { reconcileTarget } from "../../../src/app/jobs/reconcile-target.ts";
import { sweep } from "../../../src/app/jobs/sweep.ts";
import { advanceRollout } from "../../../src/app/rollouts/advance-rollout.ts";
import { forceMember } from "../../../src/app/rollouts/force-member.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { rollbackRollout } from "../../../src/app/rollouts/rollback-rollout.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import { ENGINE_VERSION } from "../../../src/core/rollout/strategy.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "AUTH";

describeOnAStore("a rollout of a newer release", (database) => {
  let kit: LoopKit;
  let api: ScriptedPlace;
  let rolloutId: string;
  let targetId: string;

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    api = scriptedPlace(await kit.target("api"));
    await kit.secret(KEY);
    await kit.bind(KEY, "api", { role: "both" });
    await kit.set(KEY, "one");
    await kit.drain();
    await kit.set(KEY, "two");
    const [row] = await kit.rows<{ id: string }>(
      `update rollout set engine_version = ${ENGINE_VERSION + 1} where state = 'running' returning id`,
    );
    rolloutId = row?.id ?? "";
    [targetId = ""] = await kit.targetIds("api");
    await kit.hurry();
  });

  it("is neither advanced nor put off", async () => {
    const state = "select phase, state, next_action_at::text from rollout where state = 'running'";
    const before = await kit.rows(state);
    await advanceRollout(kit.context, rolloutId);
    expect(await kit.rows(state)).toEqual(before);
  });

  it("is not pushed to its places, and this release's sweep finds nothing to do there", async () => {
    expect((await sweep(kit.context)).due).toEqual([]);
    expect(await reconcileTarget(kit.context, targetId, new AbortController().signal)).toBe(false);
    expect(api.values.get(KEY)).toBe("one");
    await kit.rows(`update rollout set engine_version = ${ENGINE_VERSION}`);
    await kit.drain();
    expect(api.values.get(KEY)).toBe("two");
  });

  it("gives nobody a word about what its places must hold", async () => {
    await expect(loadDesired(kit.context, targetId)).rejects.toMatchObject({ code: "ROLLOUT_NEWER" });
  });

  it("is not moved by a person through this release", async () => {
    const newer = {
      code: "ROLLOUT_NEWER",
      message: expect.stringContaining("a newer release began rollout"),
    };
    await expect(resumeRollout(kit.context, TESTER, rolloutId)).rejects.toMatchObject(newer);
    await expect(rollbackRollout(kit.context, TESTER, rolloutId)).rejects.toMatchObject(newer);
    const place = { target: "api", reason: "gone" };
    await expect(forceMember(kit.context, TESTER, rolloutId, place)).rejects.toMatchObject(newer);
    await expect(kit.set(KEY, "three")).rejects.toMatchObject(newer);
  });

  it("is shown, with why nothing moves, also where its strategy is not known here", async () => {
    const words = "a newer release began this rollout, and its workers move it; this one leaves it alone";
    expect(await viewRollout(kit.context, rolloutId)).toMatchObject({ members: [{ waitsFor: words }] });
    await kit.rows("alter table rollout drop constraint rollout_strategy_check");
    await kit.rows("update rollout set strategy = 'spiral', phase = 'inwards' where state = 'running'");
    const shown = await viewRollout(kit.context, rolloutId);
    expect(shown).toMatchObject({ phases: ["inwards"], members: [{ waitsFor: words }] });
  });
});
