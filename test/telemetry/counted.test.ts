/** Each number is counted where the thing happens, once, and says how it ended. What agents do: app/agents. */
import { beforeAll, beforeEach, expect, test } from "vitest";
import { checkTargets } from "../../src/app/drift/check-targets.ts";
import { observeTarget } from "../../src/app/jobs/observe-target.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { JobHandler } from "../../src/core/ports/queue.ts";
import { startWorker } from "../../src/edges/worker/worker.ts";
import { useDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../support/scripted-target.ts";
import { recordTelemetry } from "../support/telemetry.ts";

const getDatabase = useDatabase();
const never = new AbortController().signal;
let kit: LoopKit;
let place: ScriptedPlace;

beforeAll(() => {
  kit = createLoopKit(getDatabase());
});
beforeEach(async () => {
  await kit.reset();
  place = scriptedPlace(await kit.target("api"));
  await kit.secret("AUTH");
  await kit.bind("AUTH", "api");
});

function watched() {
  const { telemetry, said } = recordTelemetry();
  const of = (what: string) => said.filter((line) => line.startsWith(what));
  return { context: kit.other({ telemetry }), telemetry, said, of };
}

test("a push that was sent, and one that failed before anything was sent", async () => {
  const { context, of } = watched();
  place.nextLooks.push(new LockstepError("TARGET_UNREACHABLE", "Away."));
  await kit.set("AUTH", "first", context);
  await kit.drain(context);
  expect(of("push")).toEqual(["push memory not_sent"]);
  expect(of("during push")).toEqual(["during push memory failed"]);
  await kit.hurry();
  await kit.drain(context);
  expect(of("push")).toEqual(["push memory not_sent", "push memory succeeded"]);
  await kit.drain(context);
  expect(of("push")).toHaveLength(2);
});

test("a push whose answer was lost is unknown, and reading back counts it not once more", async () => {
  const { context, of } = watched();
  place.nextWrites.push({ kind: "lost", applied: "at-once" });
  await kit.set("AUTH", "first", context);
  await kit.drain(context);
  await kit.hurry();
  await kit.drain(context);
  expect(await kit.rows("select outcome from push")).toEqual([{ outcome: "succeeded" }]);
  expect(of("push")).toEqual(["push memory unknown"]);
});

test("a push whose worker was stopped after the write is counted by the one that reads it back", async () => {
  const { context, of, telemetry } = watched();
  const stopped = kit.other({
    telemetry,
    checkpoint: async (point) => {
      if (point === "written") throw new LockstepError("LEASE_LOST", "Stopped.");
    },
  });
  await kit.set("AUTH", "first", context);
  await kit.drain(stopped);
  expect(await kit.rows("select outcome from push")).toEqual([{ outcome: "started" }]);
  expect(of("push")).toEqual([]);
  await kit.hurry();
  await kit.drain(context);
  expect(await kit.rows("select outcome from push")).toEqual([{ outcome: "succeeded" }]);
  expect(of("push")).toEqual(["push memory succeeded"]);
});

test("restarts that succeed, fail and are tried again, and wait for a person", async () => {
  const { context, of } = watched();
  await kit.set("AUTH", "first", context);
  await kit.drain(context);
  expect(of("activation")).toEqual(["activation memory succeeded timed"]);
  expect(of("during activation")).toEqual(["during activation memory done"]);
  place.nextActivations.push("fail", "fail");
  await kit.set("AUTH", "second", context);
  for (let round = 0; round < 3; round += 1) {
    await kit.drain(context);
    await kit.hurry();
  }
  expect(of("activation").slice(1)).toEqual([
    "activation memory failed timed",
    "activation memory blocked timed",
  ]);
  // What stood there before was put back, which is a push as well.
  expect(place.restores).toBe(1);
  expect(of("push")).toEqual(Array.from({ length: 3 }, () => "push memory succeeded"));
});

test("a restart that the place itself says a person must see to", async () => {
  const { context, of } = watched();
  place.nextProgress.push({ state: "blocked", id: null, reason: "it waits for an approval" });
  await kit.set("AUTH", "first", context);
  await kit.drain(context);
  await kit.hurry();
  await kit.drain(context);
  expect(of("activation")).toEqual(["activation memory blocked timed"]);
});

test("looks for a gate and by a check, well or not, and the steps of a rollout", async () => {
  const { context, said, of } = watched();
  const [id = ""] = await kit.targetIds("api");
  await kit.set("AUTH", "first", context);
  await reconcileTarget(context, id, never);
  await observeTarget(context, id, never);
  place.nextLooks.push(new LockstepError("TARGET_UNREACHABLE", "Away."));
  await observeTarget(context, id, never);
  expect(of("during look")).toEqual(["during look memory done", "during look memory failed"]);
  await kit.drain(context);
  expect(of("during rollout-step")).toContain("during rollout-step advance done");
  const checked = async () => {
    said.length = 0;
    const target = await context.store.read.targets.findById(id);
    if (target === null) throw new Error("no target");
    await checkTargets(context, [target], never);
    return of("during look");
  };
  expect(await checked()).toEqual(["during look memory done"]);
  place.nextLooks.push(new LockstepError("TARGET_UNREACHABLE", "Away."));
  expect(await checked()).toEqual(["during look memory failed"]);
});

test("a worker's jobs, how long they waited, and its rounds", async () => {
  const { telemetry, said } = recordTelemetry();
  let handler: JobHandler = async () => {};
  let swept = (): void => {};
  const sweeps = new Promise<void>((resolve) => (swept = resolve));
  const context = kit.other({
    telemetry: {
      ...telemetry,
      during: async (operation, kind, work) => {
        const done = await telemetry.during(operation, kind, work);
        if (kind === "sweep") swept();
        return done;
      },
    },
    queue: {
      ...kit.context.queue,
      start: async (given) => {
        handler = given;
      },
    },
  });
  const worker = await startWorker(context, { concurrency: 1 });
  try {
    await handler({ name: "advance", id: "00000000-0000-4000-8000-000000000000" }, never, 1_500);
    await sweeps;
  } finally {
    await worker.close();
  }
  expect(said).toContain("waited advance 1.5");
  expect(said).toContain("during job advance done");
  expect(said).toContain("during loop sweep done");
});
