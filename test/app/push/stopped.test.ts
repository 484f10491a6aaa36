/** What a worker may still do that stood still for longer than its lease: a paused machine, a laptop's lid, a debugger. */
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { activateUnit } from "../../../src/app/activation/activate-unit.ts";
import { reconcileTarget } from "../../../src/app/jobs/reconcile-target.ts";
import type { Claimed } from "../../../src/core/store/activations.ts";
import type { Repositories } from "../../../src/core/store/store.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../../support/scripted-target.ts";

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;
const LATE =
  "select details ->> 'generation' as generation from audit_entry where action = 'push.late' order by at";

describeOnAStore("a worker that stood still", (database) => {
  let kit: LoopKit;
  let api: ScriptedPlace;
  let group = "";

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    const place = await kit.target("api");
    api = scriptedPlace(place);
    group = `memory:${place}`;
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api");
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** A process whose clocks go on by an hour at this point, while it does nothing. */
  const stoppingAt = (point: string) =>
    kit.other({
      checkpoint: async (reached) => {
        if (reached !== point) return;
        const wallMs = Date.now() + HOUR_MS;
        vi.spyOn(Date, "now").mockReturnValue(wallMs);
      },
    });
  const idOf = async (name: string) => (await kit.targetIds(name))[0] ?? "";

  it("law 3: after its intent sends nothing, and what it left is done by the next", async () => {
    api.inFlightMs = 60_000;
    await kit.set("AUTH", "first");
    await reconcileTarget(stoppingAt("intent"), await idOf("api"), never);
    expect(api.writes).toEqual([]);
    expect(await kit.rows("select outcome, error_code from push")).toEqual([
      { outcome: "failed", error_code: "TARGET_UNAVAILABLE" },
    ]);
    vi.restoreAllMocks();
    await kit.hurry();
    await kit.drain();
    await kit.landed();
    await kit.drain();
    expect(api.running.get("AUTH")).toBe("first");
  });

  it("law 3: after it had decided to restart, restarts nothing", async () => {
    await kit.set("AUTH", "first");
    await reconcileTarget(kit.context, await idOf("api"), never);
    const [owed] = await kit.rows<{ id: string }>("select id from activation");
    await activateUnit(stoppingAt("activation-intent"), owed?.id ?? "", never);
    expect(api.restarts).toBe(0);
    vi.restoreAllMocks();
    await kit.hurry();
    await kit.drain();
    expect(api.restarts).toBe(1);
  });

  it("law 3: whose write lands after a newer one was proven, says so, and it is corrected before a gate opens", async () => {
    api.inFlightMs = 60_000;
    let goOn = (): void => {};
    const held = new Promise<void>((reached) => {
      api.beforeWrite = async () => {
        api.beforeWrite = async () => {};
        reached();
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      };
    });
    await kit.set("AUTH", "first");
    const slow = reconcileTarget(kit.other(), await idOf("api"), never);
    await held;
    await kit.rows("update target set lease_until = now() - interval '1 second', in_flight_until = now()");
    await kit.set("AUTH", "second");
    await kit.drain();
    await kit.landed();
    await kit.drain();
    expect(await kit.rows("select evidence from binding")).toEqual([{ evidence: "deployed" }]);
    expect(await kit.rows("select 1 from target where generation <> settled_generation")).toEqual([]);

    const before = await kit.rows(LATE);
    goOn();
    await slow;
    expect(api.values.get("AUTH")).toBe("first");
    expect(await kit.rows(LATE)).toEqual([...before, { generation: "1" }]);
    // Owed, which holds every gate, and nothing counts while it may not have landed yet.
    expect(
      await kit.rows(
        "select 1 from target where generation <> settled_generation and in_flight_until > now()",
      ),
    ).toHaveLength(1);
    await kit.drain();
    await kit.landed();
    await kit.drain();
    expect(api.running.get("AUTH")).toBe("second");
    expect(await kit.rows("select evidence from binding")).toEqual([{ evidence: "deployed" }]);
  });

  it("law 3: whose write a place refused does not make everybody look there again", async () => {
    api.conditionalWrite = true;
    let goOn = (): void => {};
    const held = new Promise<void>((reached) => {
      api.beforeWrite = async () => {
        api.beforeWrite = async () => {};
        reached();
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      };
    });
    await kit.set("AUTH", "first");
    const slow = reconcileTarget(kit.other(), await idOf("api"), never);
    await held;
    await kit.rows("update target set lease_until = now() - interval '1 second'");
    await kit.set("AUTH", "second");
    await kit.drain();
    const before = await kit.rows(LATE);
    goOn();
    await slow;
    expect(await kit.rows(LATE)).toEqual(before);
    expect(await kit.rows("select 1 from target where generation <> settled_generation")).toEqual([]);
  });

  const steps: readonly (readonly [string, (tx: Repositories, claimed: Claimed) => Promise<void>])[] = [
    ["end", (tx, one) => tx.activations.end(one, { state: "succeeded", error: null })],
    ["retry", (tx, one) => tx.activations.retry(one, { inMs: 0, spendsAttempt: true, error: null })],
    ["poll", (tx, one) => tx.activations.pollAgain(one, 0)],
    ["name", (tx, one) => tx.activations.recordExternalId(one, "of-the-overtaken")],
  ];
  it.each(steps)("law 3: who was overtaken while it followed a restart can not %s it", async (_, step) => {
    const { store, processId } = kit.context;
    await kit.set("AUTH", "first");
    await reconcileTarget(kit.context, await idOf("api"), never);
    const [owed] = await kit.rows<{ id: string }>("select id from activation");
    await activateUnit(kit.context, owed?.id ?? "", never);
    const claim = async () => {
      const [claimed] = await store.transaction((tx) =>
        // The same process twice: its name alone tells nothing.
        tx.activations.claimGroup(group, processId, 30_000),
      );
      if (claimed === undefined) throw new Error("not claimed");
      return claimed;
    };
    const overtaken = await claim();
    await kit.rows("update activation set lease_until = now() - interval '1 second'");
    const holder = await claim();
    const before = await kit.rows("select * from activation");
    await expect(store.transaction((tx) => step(tx, overtaken))).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    expect(await kit.rows("select * from activation")).toEqual(before);
    await store.transaction((tx) => step(tx, holder));
    expect(await kit.rows("select * from activation")).not.toEqual(before);
  });
});
