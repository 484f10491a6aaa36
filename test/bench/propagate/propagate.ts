/**
 * From a change in the store to every place: through the real store, queue and worker, to real places on the wire.
 *
 * Three processes besides PostgreSQL and the places: this one changes the secret, as the server does, and holds the
 * simulator; a worker with its defaults does the rest.
 */
import { startTestCluster } from "../../support/database-clusters.ts";
import { newValue } from "../ssh/lockstep.ts";
import type { Bench, BenchOptions, BenchReport } from "../support/bench.ts";
import { measured } from "../support/hardware.ts";
import { percentile, round } from "../support/numbers.ts";
import { startAgentPlaces } from "./agent-places.ts";
import { type Places, startRailwayPlaces, startSshPlaces } from "./places.ts";
import { openWorld, type World } from "./world.ts";

interface Run {
  readonly kind: string;
  readonly targets: number;
  readonly storedP50Ms: number;
  readonly storedP95Ms: number;
  readonly runningP50Ms: number;
  /** Null where nobody counts requests. */
  readonly requestsPerTarget: number | null;
  readonly machineBusy: number;
}

export const bench: Bench = {
  about: "how soon a change has reached 1 to 1,000 targets: stored there, and running",
  async run(options) {
    const sizes = options.quick ? [10] : sizesOf(process.env["BENCH_SIZES"]);
    const most = Math.max(...sizes);
    const cluster = await startTestCluster("embedded");
    options.cleanUp(() => cluster.stop());
    const runs: Run[] = [];
    for (const start of kindsOf(process.env["BENCH_KINDS"])) {
      const places = await start(most, options);
      const world = await openWorld(cluster.connection);
      options.cleanUp(() => world.close());
      for (const targets of sizes) runs.push(await measure(world, places, targets, options));
      await world.close();
    }
    return report(runs);
  },
};

const KINDS = { railway: startRailwayPlaces, ssh: startSshPlaces, agent: startAgentPlaces } as const;

/** For looking at one kind alone. */
function kindsOf(text: string | undefined) {
  return Object.entries(KINDS).flatMap(([kind, start]) =>
    text === undefined || text.split(",").includes(kind) ? [start] : [],
  );
}

/** For looking at one size alone. */
function sizesOf(text: string | undefined): readonly number[] {
  return text === undefined ? [1, 10, 100, 1_000] : text.split(",").map(Number);
}

async function measure(
  world: World,
  places: Places,
  targets: number,
  { quick, say, signal }: BenchOptions,
): Promise<Run> {
  const began = performance.now();
  await world.bind(places, targets, signal);
  say(`${places.kind}: ${targets} bound within ${round((performance.now() - began) / 1_000)} s`);
  const rounds = quick ? 1 : targets >= 100 ? 2 : 5;
  const stored: number[] = [];
  const running: number[] = [];
  let busy = 0;
  const before = await places.requests();
  for (let count = 0; count < rounds; count += 1) {
    const value = newValue();
    const { value: times, usage } = await measured(() => world.change(value, signal));
    await places.assertArrived(targets, value);
    if (times.storedMs.length !== targets || times.runningMs.length !== targets) {
      throw new Error(
        `${places.kind}: ${times.storedMs.length} pushes and ${times.runningMs.length} restarts for ${targets} targets`,
      );
    }
    stored.push(...times.storedMs);
    running.push(...times.runningMs);
    busy += usage.machineBusy / rounds;
  }
  const after = await places.requests();
  const run: Run = {
    kind: places.kind,
    targets,
    storedP50Ms: round(percentile(stored, 0.5), 0),
    storedP95Ms: round(percentile(stored, 0.95), 0),
    runningP50Ms: round(percentile(running, 0.5), 0),
    requestsPerTarget:
      before === null || after === null ? null : round((after - before) / rounds / targets, 1),
    machineBusy: round(busy, 2),
  };
  say(
    `${run.kind}, ${targets}: stored ${run.storedP50Ms} ms (p95 ${run.storedP95Ms}), running ${run.runningP50Ms} ms`,
  );
  return run;
}

function report(runs: readonly Run[]): BenchReport {
  const railway = runs.filter(({ kind }) => kind === "railway").at(-1);
  return {
    result: { runs: runs.map((run) => ({ ...run })) },
    tables: [
      {
        title: "From the change to the place",
        head: [
          "kind",
          "targets",
          "stored p50 ms",
          "p95 ms",
          "running p50 ms",
          "requests/target",
          "machine busy",
        ],
        rows: runs.map((run) => [
          run.kind,
          run.targets,
          run.storedP50Ms,
          run.storedP95Ms,
          run.runningP50Ms,
          run.requestsPerTarget,
          `${Math.round(run.machineBusy * 100)} %`,
        ]),
      },
    ],
    conditions: [
      "embedded PostgreSQL, its queue backend, one worker process with its defaults; every target has a unit of its own that restarts",
      "stored: written, read back and recorded; running: the unit's restart or deployment is over; both from the moment before the change is committed, by the database's clock",
      "railway: the simulator, 25 services an environment, one token, no request limit, deployments that take no time; ssh: real sshd processes, connections kept, the restart is /bin/true; agent: whole agents with a line each, all in one process, the script without its helper, the restart is /bin/true",
      "running includes 5 s in which further changes are waited for, so that a unit restarts once, and for Railway a poll of at least 3 s",
    ],
    limits: [
      "many targets: the processors, shared by worker, PostgreSQL and the places; one target: the transactions and round trips of one push",
      `Railway itself grants requests: ${railway?.requestsPerTarget ?? "–"} a target and change; 10,000 an hour (Pro) are ` +
        `${Math.floor(10_000 / (railway?.requestsPerTarget ?? 1))} targets an hour for one token, whatever the machine`,
    ],
  };
}
