/** A verifier that tells who uses which value: the old one goes when it has been silent, not when a time is over. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import type { UsageAnswer, UsageQuestion } from "../../../src/core/ports/usage-reader.ts";
import { createConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "KEY";
const HOUR_MS = 3_600_000;

describeOnAStore("use counts in a rotation", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let api: ScriptedPlace;
  let questions: UsageQuestion[];
  /** How long ago the old value was used; null: its process does not answer. */
  let oldUsedAgoMs: number | null;

  const answer = async (_spec: object, question: UsageQuestion): Promise<UsageAnswer> => {
    questions.push(question);
    if (oldUsedAgoMs === null) return { state: "cannot-tell", reason: "no connection: refused" };
    const running = [api.running.get(KEY), api.running.get(`${KEY}_FALLBACK`)];
    const holds = [...question.versions].flatMap(([version, value]) =>
      running.includes(value.reveal()) ? [version] : [],
    );
    return { state: "told", holds, usedAgoMs: new Map(holds.map((version) => [version, oldUsedAgoMs ?? 0])) };
  };

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({ usageReader: { readUsage: answer } });
  });

  beforeEach(async () => {
    await kit.reset();
    questions = [];
    oldUsedAgoMs = 0;
    api = scriptedPlace(await kit.target("api"));
    scriptedPlace(await kit.target("worker"));
    await kit.secret(KEY);
    await kit.secret("USAGE_TOKEN");
    await kit.set("USAGE_TOKEN", "canary-token", context);
    await kit.bind(KEY, "api", {
      role: "verifier",
      said: { usage: { url: "http://127.0.0.1:1/usage", token: "USAGE_TOKEN" } },
    });
    await kit.bind(KEY, "worker", { role: "caller" });
    await kit.set(KEY, "one", context);
    await kit.drain(context);
    await kit.set(KEY, "two", context);
    await kit.drain(context);
  });

  const rollout = async () => {
    const [row] = await kit.rows<{ id: string; phase: string; state: string }>(
      "select r.id, r.phase, r.state from rollout r join secret s on s.id = r.secret_id where s.name = 'KEY' order by r.started_at desc limit 1",
    );
    if (row === undefined) throw new Error("no rollout");
    return row;
  };
  const watch = async (): Promise<void> => {
    await kit.rows("update binding set looked_at = looked_at - interval '1 hour'");
    await kit.hurry();
    await kit.drain(context);
  };
  const settledFor = (ms: number) =>
    kit.rows(
      `update rollout set phase_started_at = now() - interval '${ms} milliseconds', next_action_at = now()`,
    );

  it("is the application's word that it accepts both, with the token that stands in the store", async () => {
    expect(await rollout()).toMatchObject({ phase: "settle", state: "running" });
    expect(questions[0]?.tokens.map((token) => token.reveal())).toEqual(["canary-token"]);
    const view = await viewRollout(context, (await rollout()).id);
    expect(view.members.find(({ target }) => target === "api")?.evidence).toBe("running");
    expect(view.settling).toMatchObject({ grade: "observed" });
    expect(JSON.stringify(view)).not.toContain("canary");
  });

  it("keep the old value as long as somebody uses it, however long that is", async () => {
    await settledFor(1_000 * HOUR_MS);
    await watch();
    expect(await rollout()).toMatchObject({ phase: "settle", state: "running" });
    oldUsedAgoMs = 30 * 24 * HOUR_MS;
    await watch();
    expect(await rollout()).toMatchObject({ phase: "retire", state: "done" });
    expect(api.running).toEqual(new Map([[KEY, "two"]]));
  });

  it("that cannot be read are no silence", async () => {
    oldUsedAgoMs = 30 * 24 * HOUR_MS;
    await watch();
    oldUsedAgoMs = null;
    await watch();
    await settledFor(1_000 * HOUR_MS);
    await watch();
    const { phase, id } = await rollout();
    expect(phase).toBe("settle");
    const { members, settling } = await viewRollout(context, id);
    expect(members.find(({ target }) => target === "api")?.waitsFor).toContain("no connection");
    expect(settling?.leftMs).toBeGreaterThan(0);
  });
});

describeOnAStore("use counts in a configuration", (database) => {
  const usage = { url: "https://api.example.com/usage", token: "USAGE_TOKEN" };
  const kit = () => createConfigKit(database());
  const problems = async (binding: object, secrets: Record<string, object[]> = { USAGE_TOKEN: [] }) => {
    const config = kit().config({
      secrets: { KEY: [{ target: "one", ...binding }], ...secrets },
      targets: { one: {} },
    } as never);
    const error: unknown = await applyConfig(kit().context, TESTER, { config }).catch(
      (thrown: unknown) => thrown,
    );
    return JSON.stringify((error as { details?: object }).details ?? "applied");
  };
  beforeEach(() => kit().loop.reset());

  it("belong to verifiers", async () => {
    expect(await problems({ role: "caller", usage })).toContain("only verifiers do");
    expect(await problems({ role: "verifier", usage })).toBe('"applied"');
  });

  it("need a secret that holds their token, and a target that can reach them", async () => {
    expect(await problems({ role: "verifier", usage }, {})).toContain("names a secret that environment");
    const there = { ...usage, url: "http://127.0.0.1:8080/usage", from: "target" };
    expect(await problems({ role: "verifier", usage: there })).toContain(
      "cannot be read from a target of kind",
    );
  });
});
