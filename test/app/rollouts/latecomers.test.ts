/** Who comes late, is away or is silent for long: none is refused, and none keeps a rotation from those who are there. */
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Prober } from "../../../src/core/ports/prober.ts";
import type { Role } from "../../../src/core/secret.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const KEY = "INTERNAL_AUTH_SECRET";
const FALLBACK = `${KEY}_FALLBACK`;
const HOUR_MS = 3_600_000;

describeOnAStore("latecomers", (database) => {
  let kit: LoopKit;
  let context: AppContext;
  let verifiers: Map<string, ScriptedPlace>;
  let callers: Map<string, ScriptedPlace>;
  let refused: string[];
  /** What answers the probe of each verifier; not always the place that is written. */
  let lives: Map<string, () => readonly (string | undefined)[]>;

  const accepted = (name: string): readonly (string | undefined)[] => lives.get(name)?.() ?? [];
  const watch = (): void => {
    for (const [caller, place] of callers) {
      const sent = place.running.get(KEY);
      for (const verifier of verifiers.keys())
        if (sent !== undefined && !accepted(verifier).includes(sent))
          refused.push(`${caller} at ${verifier}: ${sent}`);
    }
  };
  const prober: Prober = {
    probe: async (spec, value) => {
      const { url } = spec["http"] as { readonly url: string };
      return accepted(new URL(url).pathname.slice(1)).includes(value.reveal())
        ? { verdict: "accepted", reason: "answered 200" }
        : { verdict: "refused", reason: "answered 401" };
    },
  };

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({ prober, checkpoint: async () => watch() });
  });

  async function place(
    name: string,
    role: Role,
    { optional = false, said = {} }: { optional?: boolean; said?: JsonObject } = {},
  ): Promise<ScriptedPlace> {
    const made = scriptedPlace(await kit.target(name));
    const probe = { probe: { http: { url: `http://127.0.0.1:1/${name}` } } };
    await kit.bind(KEY, name, { role, optional, said: role === "verifier" ? { ...probe, ...said } : said });
    await kit.rows(
      `update target set generation = generation + 1, next_action_at = now() where name = '${name}'`,
    );
    if (role === "verifier") {
      lives.set(name, () => [made.running.get(KEY), made.running.get(FALLBACK)]);
      verifiers.set(name, made);
    } else callers.set(name, made);
    return made;
  }

  beforeEach(async () => {
    await kit.reset();
    verifiers = new Map();
    callers = new Map();
    lives = new Map();
    await kit.secret(KEY);
  });

  /** The first version stands everywhere, and a second is on its way. */
  const rotate = async (meanwhile: () => void = () => {}): Promise<void> => {
    await kit.set(KEY, "one", context);
    await kit.drain(context);
    refused = [];
    meanwhile();
    await kit.set(KEY, "two", context);
    await kit.drain(context);
  };
  const rollout = async () => {
    const [row] = await kit.rows<{ phase: string; state: string; reason: string | null }>(
      "select phase, state, reason from rollout order by started_at desc limit 1",
    );
    if (row === undefined) throw new Error("no rollout");
    return row;
  };
  /** So much time passes in the phase, and everybody is looked at. */
  const after = async (ms: number): Promise<void> => {
    await kit.rows(`update rollout set phase_started_at = now() - interval '${ms} milliseconds'`);
    await kit.rows("update binding set looked_at = looked_at - interval '1 hour'");
    await kit.hurry();
    await kit.drain(context);
  };

  it("a caller that is bound in the middle starts with the new value", async () => {
    await place("api", "verifier");
    await place("worker", "caller");
    await rotate();
    expect((await rollout()).phase).toBe("settle");
    const newcomer = await place("newcomer", "caller");
    await kit.drain(context);
    expect([newcomer.running.get(KEY), newcomer.running.has(FALLBACK)]).toEqual(["two", false]);
    await after(30 * 24 * HOUR_MS);
    expect(await rollout()).toMatchObject({ phase: "retire", state: "done" });
    expect(refused).toEqual([]);
  });

  it("a verifier that is bound in the middle accepts both before anything is taken away", async () => {
    await place("api", "verifier");
    await place("worker", "caller");
    await rotate();
    const newcomer = await place("newcomer", "verifier");
    newcomer.nextActivations.push("fail", "fail");
    // Nobody calls it before it has started.
    verifiers.delete("newcomer");
    await kit.drain(context);
    await after(30 * 24 * HOUR_MS);
    expect((await rollout()).phase).toBe("settle");
    expect(verifiers.get("api")?.running.get(FALLBACK)).toBeDefined();
    await kit.rows(
      "update activation set state = 'owed', attempts = 0, next_action_at = now() where state = 'blocked'",
    );
    await kit.drain(context);
    verifiers.set("newcomer", newcomer);
    const written = newcomer.writes.map(({ set }) => set.map(({ value }) => value.reveal()).sort());
    expect(written[0]).toEqual(["one", "two"]);
    await after(30 * 24 * HOUR_MS);
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(newcomer.running).toEqual(new Map([[KEY, "two"]]));
    expect(refused).toEqual([]);
  });

  it("a value that goes to another environment than the service's is never retired there", async () => {
    const staging = await place("api", "verifier");
    await place("worker", "caller");
    // What answers is another service, which nobody writes to.
    lives.set("api", () => ["one"]);
    await rotate();
    await after(30 * 24 * HOUR_MS);
    expect(staging.running.get(FALLBACK)).toBe("two");
    expect(await rollout()).toMatchObject({
      phase: "accept",
      state: "stalled",
      reason: expect.stringContaining("refuses it"),
    });
    expect(callers.get("worker")?.values.get(KEY)).toBe("one");
    expect(await kit.rows("select version from secret_version where state = 'current'")).toEqual([
      { version: 1 },
    ]);
    expect(refused).toEqual([]);
  });

  it("a weekly job that was silent since Monday has not left on Tuesday", async () => {
    await place("api", "verifier");
    await place("cron", "caller", { said: { silentFor: "7d" } });
    await rotate();
    await after(2 * 24 * HOUR_MS);
    expect((await rollout()).phase).toBe("settle");
    await after(6 * 24 * HOUR_MS);
    expect((await rollout()).phase).toBe("settle");
    await after(7 * 24 * HOUR_MS + 1_000);
    expect(await rollout()).toMatchObject({ state: "done" });
  });

  it("a laptop that is away for days neither blocks the others nor is locked out when it comes back", async () => {
    await place("api", "verifier");
    const worker = await place("worker", "caller");
    const laptop = await place("laptop", "caller", { optional: true });
    const away = new LockstepError("TARGET_UNREACHABLE", "it is away");
    await rotate(() =>
      laptop.nextWrites.push(
        ...Array.from({ length: 200 }, () => ({ kind: "refused" as const, error: away })),
      ),
    );
    expect([(await rollout()).phase, worker.running.get(KEY)]).toEqual(["settle", "two"]);
    await after(3 * 24 * HOUR_MS);
    expect((await rollout()).phase).toBe("settle");
    // Its calls are answered with what it still holds.
    expect([laptop.running.get(KEY), accepted("api")]).toEqual([
      "one",
      expect.arrayContaining(["one", "two"]),
    ]);
    laptop.nextWrites.length = 0;
    await after(3 * 24 * HOUR_MS);
    await after(3 * 24 * HOUR_MS);
    expect(laptop.running.get(KEY)).toBe("two");
    expect(await rollout()).toMatchObject({ state: "done" });
    expect(refused).toEqual([]);
  });

  it("a laptop that stays away is waited for no longer than was said", async () => {
    await place("api", "verifier");
    await place("worker", "caller");
    const laptop = await place("laptop", "caller", { optional: true });
    const away = new LockstepError("TARGET_UNREACHABLE", "it is away");
    await rotate(() =>
      laptop.nextWrites.push(
        ...Array.from({ length: 500 }, () => ({ kind: "refused" as const, error: away })),
      ),
    );
    await after(365 * 24 * HOUR_MS);
    expect(await rollout()).toMatchObject({ state: "done" });
  });
});
