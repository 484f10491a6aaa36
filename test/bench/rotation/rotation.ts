/**
 * Rotation under load: how many authenticated requests are refused while a secret moves, in order, all at once, and in
 * order while things fail. Verifiers and callers are real processes; the worker is one that can be killed.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { migratePostgresQueue } from "../../../src/adapters/queue/postgres-queue.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import type { AppContext } from "../../../src/app/context.ts";
import { resumeRollout } from "../../../src/app/rollouts/resume-rollout.ts";
import { rotateSecret } from "../../../src/app/rollouts/rotate-secret.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { viewRollout } from "../../../src/app/views/rollouts.ts";
import { composeContext } from "../../../src/compose.ts";
import { readSettings } from "../../../src/config.ts";
import type { Actor } from "../../../src/core/actor.ts";
import { PLAIN_FIELD } from "../../../src/core/secret.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { databaseUrl, startTestCluster, TEMPLATE, withAdmin } from "../../support/database-clusters.ts";
import type { Bench, BenchOptions, BenchReport } from "../support/bench.ts";
import { round } from "../support/numbers.ts";
import { type Collector, type Counts, startCollector } from "./collector.ts";
import { KEY, type RotationPlaces, startPlaces } from "./places.ts";
import { BENCH_TIMING } from "./timing.ts";

const ACTOR: Actor = { kind: "local", id: "bench", name: "bench" };
const SECRET = { environment: "production", name: KEY };
const ROLLOUT_MS = 60_000;
/** The callers report five times a second. */
const TOLD_WITHIN_MS = 500;

export const bench: Bench = {
  about: "how many requests are refused while a secret is rotated under load, in order and all at once",
  async run(options) {
    const rotations = options.quick ? 1 : Number(process.env["BENCH_ROTATIONS"] ?? 20);
    const perSecond = options.quick ? 200 : 1_000;
    const collector = await startCollector();
    options.cleanUp(() => collector.close());
    const value = randomBytes(32).toString("base64url");
    const places = await startPlaces(options, { value, perSecond, reportTo: collector.url });
    options.say("services run");
    const world = await openWorld(options, places, value);
    options.say("every place is bound");
    const ordered = await count(collector, options, async () => {
      for (let index = 0; index < rotations; index += 1) await world.rotate("overlap", options.signal);
    });
    options.say(`in order: ${said(ordered.counts)}, ${round(ordered.seconds / rotations)} s a rotation`);
    if (options.quick) return report({ rotations, perSecond, ordered, naive: null, faults: null });
    const naive = await count(collector, options, async () => {
      for (let index = 0; index < rotations; index += 1) await world.rotate("replace", options.signal);
    });
    options.say(`all at once: ${said(naive.counts)}`);
    let stalledThenResumed = 0;
    const faults = await count(collector, options, async () => {
      for (const fault of FAULTS) {
        stalledThenResumed += await world.rotate("overlap", options.signal, () => fault(world, places));
      }
    });
    options.say(`in order, while things fail: ${said(faults.counts)}`);
    return report({ rotations, perSecond, ordered, naive, faults: { ...faults, stalledThenResumed } });
  },
};

type Fault = (world: World, places: RotationPlaces) => Promise<void>;

/** Each spoils one rotation, some time after its begin. */
const FAULTS: readonly Fault[] = [
  async (world) => {
    for (let times = 0; times < 3; times += 1) {
      await delay(400 + 700 * Math.random());
      await world.killWorker();
    }
  },
  async (_world, { simulator }) => {
    simulator.faults.add({ kind: "deployment-fails", service: "railway-verifier-2", stage: "deploy" });
  },
  async (_world, { simulator }) => {
    simulator.faults.add({
      kind: "deployment-fails",
      service: "railway-caller-1",
      stage: "deploy",
      times: 2,
    });
  },
  async (_world, places) => {
    await delay(1_500);
    places.restartHost("host-verifier");
  },
  async (_world, { simulator }) => {
    simulator.faults.add({
      kind: "gateway-timeout",
      applied: "yes",
      operation: "variableCollectionUpsert",
      times: 2,
    });
  },
];

interface World {
  /** Answers how often it stalled and was resumed. */
  rotate(
    strategy: "overlap" | "replace",
    signal: AbortSignal,
    meanwhile?: () => Promise<void>,
  ): Promise<number>;
  /** kill -9, and another one in its place. */
  killWorker(): Promise<void>;
}

async function openWorld(options: BenchOptions, places: RotationPlaces, value: string): Promise<World> {
  const { cleanUp } = options;
  const cluster = await startTestCluster("embedded");
  cleanUp(() => cluster.stop());
  const database = `bench_${randomUUID().replaceAll("-", "")}`;
  const connection = { ...cluster.connection, database };
  await withAdmin(cluster.connection, (client) =>
    client.query(`create database ${database} template ${TEMPLATE}`),
  );
  await migratePostgresQueue(connection);
  const data = await mkdtemp(join(tmpdir(), "lockstep-bench-"));
  cleanUp(() => rm(data, { recursive: true, force: true }));
  const env = { LOCKSTEP_DATA: data, DATABASE_URL: databaseUrl(connection), LOCKSTEP_LOG_LEVEL: "error" };
  const { context, close } = await composeContext("server", readSettings({}, env), { timing: BENCH_TIMING });
  cleanUp(close);
  await setSecret(context, ACTOR, SECRET, { [PLAIN_FIELD]: SecretValue.of(value) });
  let worker = await startWorker(env);
  cleanUp(() => end(worker, "SIGTERM"));
  const config = configSchema.parse({
    environments: {
      production: {
        secrets: { [KEY]: { rotate: { settleFor: "1s" }, bindings: places.bindings } },
        targets: places.targets,
      },
    },
  });
  await applyConfig(context, ACTOR, { config });
  await settled(context, options.signal);
  return {
    async rotate(strategy, signal, meanwhile) {
      const { rolloutId } = await rotateSecret(context, ACTOR, SECRET, { strategy }, signal);
      const spoiling = meanwhile?.();
      const resumed = await ended(context, rolloutId ?? "", signal);
      await spoiling;
      return resumed;
    },
    async killWorker() {
      await end(worker, "SIGKILL");
      worker = await startWorker(env);
    },
  };
}

/** Waits for a rollout's end; one that stands still is resumed, as a person would who has repaired what it names. */
async function ended(context: AppContext, rolloutId: string, signal: AbortSignal): Promise<number> {
  const deadline = Date.now() + ROLLOUT_MS;
  for (let resumed = 0; ; ) {
    const rollout = await context.store.read.rollouts.find(rolloutId);
    if (rollout === null) throw new Error("the rollout is gone");
    if (rollout.state === "done") return resumed;
    if (Date.now() > deadline) {
      const { phase, reason, members } = await viewRollout(context, rolloutId);
      const waits = members.map(({ target, waitsFor }) => `${target}: ${waitsFor ?? "ready"}`);
      throw new Error(`a rollout does not end (${phase}, ${reason ?? "no reason"}): ${waits.join("; ")}`);
    }
    if (rollout.state === "stalled") {
      await resumeRollout(context, ACTOR, rolloutId);
      resumed += 1;
    }
    await delay(200, undefined, { signal });
  }
}

async function settled(context: AppContext, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { targetsOwed, activationsOpen } = await context.store.read.views.counts();
    if (targetsOwed + activationsOpen === 0) return;
    await delay(200, undefined, { signal });
  }
}

async function startWorker(env: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "worker-process.ts"), {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    execArgv: ["--import", "tsx"],
  });
  const [said] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [unknown];
  if (said !== "started") throw new Error("the worker did not start");
  return child;
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

interface Counted {
  readonly counts: Counts;
  readonly seconds: number;
}

async function count(
  collector: Collector,
  { signal }: BenchOptions,
  work: () => Promise<void>,
): Promise<Counted> {
  await delay(TOLD_WITHIN_MS, undefined, { signal });
  collector.take();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1_000;
  await delay(TOLD_WITHIN_MS, undefined, { signal });
  return { counts: collector.take(), seconds };
}

function total({ answered, refused, unreachable }: Counts): number {
  return answered + refused + unreachable;
}

function said(counts: Counts): string {
  return `${counts.refused} of ${total(counts)} refused, ${counts.unreachable} unreachable`;
}

function numbers({ counts }: Counted) {
  return { requests: total(counts), refused: counts.refused, unreachable: counts.unreachable };
}

interface Measured {
  readonly rotations: number;
  readonly perSecond: number;
  readonly ordered: Counted;
  /** Null: not measured, for want of time. */
  readonly naive: Counted | null;
  readonly faults: (Counted & { readonly stalledThenResumed: number }) | null;
}

function report({ rotations, perSecond, ordered, naive, faults }: Measured): BenchReport {
  const row = (name: string, { counts, seconds }: Counted) => [
    name,
    total(counts),
    counts.refused,
    counts.unreachable,
    round(seconds),
  ];
  return {
    result: {
      requests: total(ordered.counts),
      refused: ordered.counts.refused,
      unreachable: ordered.counts.unreachable,
      rotations,
      secondsPerRotation: round(ordered.seconds / rotations),
      naive: naive === null ? null : numbers(naive),
      faults: faults === null ? null : { ...numbers(faults), stalledThenResumed: faults.stalledThenResumed },
    },
    tables: [
      {
        title: "Requests while the secret moves",
        head: ["how", "requests", "refused (401, 403)", "unreachable", "seconds"],
        rows: [
          row(`in order, ${rotations} rotations`, ordered),
          ...(naive === null ? [] : [row(`all at once, ${rotations} rotations`, naive)]),
          ...(faults === null ? [] : [row("in order, while things fail", faults)]),
        ],
      },
    ],
    conditions: [
      `3 verifiers (2 on the simulated Railway, 1 on a host behind a real sshd) and 4 callers (2 and 2), real processes; ${perSecond} requests a second are aimed at in all, over kept connections, through a front a verifier that routes to the newest process`,
      "in order: `overlap`, verifiers asked by live requests, settleFor 1 s; all at once: `replace`, which every product does that overwrites a shared secret",
      "things that fail: the worker killed -9 three times, a verifier's deployment failing, a caller's failing twice, a verifier restarting by itself, answers of writes lost",
      "waits shorter than by default: quiet 0.1 s, polls 0.2 to 0.5 s, looks again after 0.3 s; builds of 0.3 s",
    ],
    limits: [
      "a rotation lasts as long as three restarts after each other, verifiers', callers', verifiers' again, and what is waited for between them",
    ],
  };
}
