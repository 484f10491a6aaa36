/**
 * Railway answers reads with what stood there before the last writes, for minutes. Laws 2, 3 and 5: nothing is believed
 * that only such an answer says, and nobody writes or redeploys without end because of it.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../src/adapters/targets/railway/target.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { observeTarget } from "../../src/app/jobs/observe-target.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { rollbackRollout } from "../../src/app/rollouts/rollback-rollout.ts";
import { credentialsAssociatedData } from "../../src/core/associated-data.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import { RailwayKit } from "../targets/railway/kit.ts";

const database = useDatabase();
const never = new AbortController().signal;
const STALE = { kind: "stale-read", times: "always" } as const;

describe("stale reads at Railway", () => {
  const kitOfRailway = new RailwayKit();
  let kit: LoopKit;
  let context: AppContext;

  beforeAll(() => {
    kit = createLoopKit(database());
    context = kit.other({ targetKinds: new Map([["railway", railwayKind]]), revisionMarker: true });
  });
  beforeEach(async () => {
    await kit.reset();
    await kitOfRailway.start();
    const { projectId: project, environmentId: environment, projectToken: token } = railway().defaults;
    await kit.secret("AUTH");
    await kit.target("api");
    const { config, credentials } = railwayKind.parse({
      railway: {
        project,
        environment,
        service: kitOfRailway.serviceId,
        token,
        endpoint: railway().url,
        requestTimeoutMs: 2_000,
      },
    });
    const destination = railwayKind.destination(config);
    const sealed = await context.sealer.seal(
      JSON.stringify(credentials),
      credentialsAssociatedData(await targetId(), destination),
    );
    await database().pool.query(
      "update target set kind = 'railway', config = $2, credentials_sealed = $3, destination = $4 where id = $1",
      [await targetId(), JSON.stringify(config), sealed, destination],
    );
    await kit.bind("AUTH", "api");
  });
  afterEach(() => kitOfRailway.stop());

  const railway = () => kitOfRailway.railway;
  const targetId = async () => (await kit.targetIds("api"))[0] ?? "";
  const real = async () => (await kitOfRailway.stored())["AUTH"];
  const binding = async () =>
    (
      await kit.rows<{ evidence: string | null; settled: object }>("select evidence, settled from binding")
    )[0];
  const deploys = async () => (await railway().log.deploys()).length;
  const writes = async () => (await railway().log.writes()).length;
  /** Everything that is due, and once more what waits for a later time. */
  const goOn = async () => {
    await kit.landed();
    await kit.hurry();
    await kit.drain(context);
    await railway().state.idle();
  };
  const rest = async () => {
    for (let round = 0; round < 40; round += 1) {
      await goOn();
      const owed = await kit.rows(
        "select 1 from activation where state in ('owed', 'requested') union all select 1 from target where generation <> settled_generation",
      );
      if (owed.length === 0) return;
    }
    throw new Error("the loop does not come to rest");
  };

  it("law 5: a read-back that shows the old value settles nothing, restarts nothing, and is not told as a change by hand", async () => {
    await kit.set("AUTH", "first", context);
    await rest();
    const before = { writes: await writes(), deploys: await deploys() };
    await kit.set("AUTH", "second", context);
    // As long ago as is remembered: each further write would otherwise show the one before it.
    await railway().faults.add({ ...STALE, writesBehind: 100 });
    await reconcileTarget(context, await targetId(), never);
    for (let minute = 0; minute < 3; minute += 1) await goOn();
    expect(await real()).toBe("second");
    // One write a try, and tries back off: seconds, then minutes, then an hour.
    expect((await writes()) - before.writes).toBeLessThanOrEqual(4);
    expect(await deploys()).toBe(before.deploys);
    expect(await binding()).toMatchObject({ settled: { primary: 1 } });
    expect(await kit.rows("select error_code from target")).toEqual([{ error_code: "READ_BACK_MISMATCH" }]);
    expect(await kit.rows("select 1 from rollout where state = 'done' and to_version = 2")).toEqual([]);

    await railway().faults.clear();
    const wrote = await writes();
    await rest();
    expect(await writes()).toBe(wrote);
    expect((await deploys()) - before.deploys).toBe(1);
    expect(await binding()).toMatchObject({ settled: { primary: 2 }, evidence: "deployed" });
  });

  it("laws 2 and 3: on the way back to an older value, a look that shows it already does not stand for the write", async () => {
    await kit.set("AUTH", "first", context);
    await rest();
    await kit.set("AUTH", "second", context);
    await rest();
    expect(await real()).toBe("second");
    const [done] = await kit.rows<{ id: string }>("select id from rollout where to_version = 2");
    await railway().faults.add(STALE);
    await rollbackRollout(context, TESTER, done?.id ?? "");
    await goOn();
    await railway().faults.clear();
    await rest();
    expect(await real()).toBe("first");
    expect(await binding()).toMatchObject({ settled: { primary: 1 }, evidence: "deployed" });
    const processes = await railway().state.processes({ service: kitOfRailway.serviceId });
    expect(processes.map(({ variables }) => variables["AUTH"])).toEqual(["first"]);
    const settled = await writes();
    await kit.rows("update target set generation = generation + 1, next_action_at = now()");
    await rest();
    expect(await writes()).toBe(settled);
  });

  it("law 6: what is to go and is said to be gone already is taken away all the same, once", async () => {
    await kit.set("AUTH", "first", context);
    await rest();
    // What we wrote there as fallback, while the rollout that needed it is over.
    await railway().state.setVariables({
      service: kitOfRailway.serviceId,
      variables: { AUTH_FALLBACK: "first" },
    });
    await kit.rows("update ownership set written_generation = 1 where slot = 'fallback'");
    await kit.rows(`update binding set settled = '{"primary": 1, "fallback": 1}'`);
    await railway().faults.add({ ...STALE, operation: "ObserveService", times: 1 });
    await kit.rows("update target set generation = generation + 1, next_action_at = now()");
    await rest();
    expect(Object.hasOwn(await kitOfRailway.stored(), "AUTH_FALLBACK")).toBe(false);
    const wrote = await writes();
    await kit.rows("update target set generation = generation + 1, next_action_at = now()");
    await rest();
    expect(await writes()).toBe(wrote);
  });

  it("law 5: a gate's look that shows what stood there before lowers the evidence, and the next one gives it back", async () => {
    await kit.set("AUTH", "first", context);
    await rest();
    await kit.set("AUTH", "second", context);
    await rest();
    await kit.rows("update rollout set state = 'running', phase = 'commit' where to_version = 2");
    await railway().faults.add(STALE);
    await observeTarget(context, await targetId(), never);
    expect(await binding()).toMatchObject({ evidence: null });
    await railway().faults.clear();
    await observeTarget(context, await targetId(), never);
    expect((await binding())?.evidence).not.toBeNull();
    expect(await real()).toBe("second");
  });
});
