/** What follows from a transaction, and who does it when the queue does not. Without a store. */
import { beforeEach, expect, test } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import type { FollowUps } from "../../../src/app/base/follow-ups.ts";
import { transact } from "../../../src/app/base/transaction.ts";
import { dispatchFollowUps } from "../../../src/app/jobs/dispatch.ts";
import { runJob } from "../../../src/app/jobs/run-job.ts";
import { transactionWithValues } from "../../../src/app/values/prepared-values.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Job } from "../../../src/core/ports/queue.ts";
import { NO_TELEMETRY } from "../../support/telemetry.ts";

const never = new AbortController().signal;
let done: string[];
let logged: string[];

beforeEach(() => {
  done = [];
  logged = [];
});

/** Only what these steps use; every transaction runs twice, as after a deadlock. */
function contextOf(parts: {
  readonly dispatch?: AppContext["dispatch"];
  readonly enqueue?: AppContext["queue"]["enqueue"];
}): AppContext {
  const log = (event: string) => void logged.push(event);
  const rollouts = {
    lock: async (id: string) => {
      done.push(`advance ${id}`);
      return null;
    },
    movableAtTarget: async () => ["rollout"],
    size: async () => 2,
  };
  const repositories = {
    rollouts,
    activations: {
      owedAtTarget: async () => [{ id: "restart", inMs: 5_000 }],
      claim: async () => ({ id: "restart", unitId: "unit", targetId: "gone" }),
      end: async () => {},
      targetsOfUnit: async () => ["target"],
    },
    targets: {
      findById: async (id: string) => {
        done.push(`find ${id}`);
        return null;
      },
    },
  };
  return {
    store: {
      read: repositories,
      transaction: async (work: (tx: object) => Promise<unknown>) => {
        await work(repositories);
        return await work(repositories);
      },
    },
    telemetry: NO_TELEMETRY,
    dispatch: parts.dispatch ?? dispatchFollowUps,
    queue: { enqueue: parts.enqueue ?? (async () => {}) },
    agentNotifier: { notify: (ids: readonly string[]) => void done.push(`notify ${ids.join(" ")}`) },
    timing: { leaseMs: 1_000 },
    sealer: { assertCurrent: async () => {}, assertRingThere: async () => {} },
    log: { debug: log, info: log, warn: log, error: log },
  } as unknown as AppContext;
}

function recordedIn(dispatched: FollowUps[], refused: readonly Job[] = []): AppContext["dispatch"] {
  return async (_context, followUps) => {
    dispatched.push(followUps);
    return refused;
  };
}

test.each([
  ["transact", transact],
  ["transactionWithValues", transactionWithValues],
] as const)("%s dispatches the follow-ups of its last run, each once", async (_name, run) => {
  const dispatched: FollowUps[] = [];
  const context = contextOf({ dispatch: recordedIn(dispatched) });
  let runs = 0;
  await run(context, async (_tx, next) => {
    runs += 1;
    next.reconcile([`run-${runs}`, "target", "target"]);
    next.activate("restart", 9_000);
    next.activate("restart", 3_000);
    expect(dispatched).toEqual([]);
  });
  expect(dispatched).toEqual([
    {
      jobs: [
        { name: "reconcile", id: "run-2", inMs: 0 },
        { name: "reconcile", id: "target", inMs: 0 },
        { name: "activate", id: "restart", inMs: 3_000 },
      ],
      changed: [],
      notified: [],
    },
  ]);
});

test("a dispatch that fails is logged, and what was committed stays an answer", async () => {
  const context = contextOf({
    dispatch: async () => {
      throw new LockstepError("STORE_UNAVAILABLE", "away");
    },
  });
  const answer = await transact(context, async (_tx, next) => {
    next.advance(["rollout"]);
    return "committed";
  });
  expect([answer, logged]).toEqual(["committed", ["dispatch failed"]]);
});

test("of a changed place the restart is enqueued for its time, and a small rollout moves at once", async () => {
  const enqueued: unknown[] = [];
  const context = contextOf({
    enqueue: async (jobs, options) => void enqueued.push([jobs, options?.delayMs]),
  });
  const refused = await dispatchFollowUps(context, { jobs: [], changed: ["target"], notified: ["other"] });
  expect(enqueued).toEqual([[[{ name: "activate", id: "restart" }], 5_000]]);
  expect(done).toEqual(["notify other", "advance rollout", "advance rollout"]);
  expect(refused).toEqual([]);
});

test("what the queue refuses is answered", async () => {
  const refuse = async (): Promise<never> => {
    throw new LockstepError("QUEUE_UNAVAILABLE", "away");
  };
  const followUps: FollowUps = {
    jobs: ["a", "b"].map((id) => ({ name: "look", id, inMs: 0 })),
    changed: [],
    notified: [],
  };
  const looks: readonly Job[] = [
    { name: "look", id: "a" },
    { name: "look", id: "b" },
  ];
  expect(await dispatchFollowUps(contextOf({ enqueue: refuse }), followUps)).toEqual(looks);
});

test("a worker does the looks that the queue refuses itself, each once", async () => {
  const looks: readonly Job[] = [
    { name: "look", id: "a" },
    { name: "look", id: "b" },
    { name: "look", id: "a" },
  ];
  const dispatched: FollowUps[] = [];
  const context = contextOf({ dispatch: recordedIn(dispatched, looks) });
  // Its target is gone: the activation ends, and what waited for it may go on.
  await runJob(context, { name: "activate", id: "restart" }, never);
  expect(dispatched).toEqual([{ jobs: [], changed: ["target"], notified: [] }]);
  expect(done).toEqual(["find gone", "find a", "find b"]);
});
