/** A store with its targets, the queue beside it, and a worker: what a change passes through on its way out. */
import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { migratePostgresQueue } from "../../../src/adapters/queue/postgres-queue.ts";
import type { StoreConnection } from "../../../src/adapters/store/pool.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { runDoctor } from "../../../src/app/doctor/run-doctor.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { composeContext } from "../../../src/composition/compose.ts";
import type { Actor } from "../../../src/core/actor.ts";
import { PLAIN_FIELD } from "../../../src/core/secret.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { createAgentServer } from "../../../src/edges/http/agents/server.ts";
import type { DoctorAnswer } from "../../../src/protocol/api-doctor.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { readSettings } from "../../../src/settings/settings.ts";
import { databaseUrl, TEMPLATE, withAdmin } from "../../support/database-clusters.ts";
import { FIRST_VALUE, KEY, type Places } from "./places.ts";

const ACTOR: Actor = { kind: "local", id: "bench", name: "bench" };
const ENVIRONMENT = "production";
const LOOK_EVERY_MS = 100;
const ROUND_MS = 600_000;

export interface Times {
  /** Per target: from the change to its push being recorded, written and read back. */
  readonly storedMs: readonly number[];
  /** Per unit: from the change to its restart being over. */
  readonly runningMs: readonly number[];
}

export interface World {
  /** Lets the secret go to these targets, and waits until all of them hold it. */
  bind(places: Places, count: number, signal: AbortSignal): Promise<void>;
  /** Changes the secret and waits until every place has it and everything has restarted. */
  change(value: string, signal: AbortSignal): Promise<Times>;
  /** All places, now. */
  doctor(signal: AbortSignal): Promise<DoctorAnswer>;
  close(): Promise<void>;
}

/** One store for all sizes of a kind: places that carry its mark refuse another. */
export async function openWorld(cluster: StoreConnection): Promise<World> {
  const steps: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  try {
    const database = `bench_${randomUUID().replaceAll("-", "")}`;
    const connection = { ...cluster, database };
    await withAdmin(cluster, (client) => client.query(`create database ${database} template ${TEMPLATE}`));
    steps.push(() => withAdmin(cluster, (client) => client.query(`drop database ${database} with (force)`)));
    await migratePostgresQueue(connection);
    const data = await mkdtemp(join(tmpdir(), "lockstep-bench-"));
    steps.push(() => rm(data, { recursive: true, force: true }));
    const env = {
      LOCKSTEP_DATA: data,
      DATABASE_URL: databaseUrl(connection),
      LOCKSTEP_LOG_LEVEL: process.env["LOCKSTEP_LOG_LEVEL"] ?? "error",
    };
    const composed = await composeContext("server", readSettings({}, env));
    steps.push(() => composed.close());
    const agents = createAgentServer({ context: composed.context, tls: null });
    const agentUrl = `http://127.0.0.1:${await agents.listen("127.0.0.1", 0)}`;
    steps.push(() => agents.close());
    const set = async (value: string): Promise<void> => {
      const fields = { [PLAIN_FIELD]: SecretValue.of(value) };
      await setSecret(composed.context, ACTOR, { environment: ENVIRONMENT, name: KEY }, fields);
    };
    await set(FIRST_VALUE);
    steps.push(await startWorker(env));
    const looking = new pg.Client({ ...connection });
    await looking.connect();
    steps.push(() => looking.end());
    return {
      async bind(places, count, roundSignal) {
        const targets = await places.targets(count);
        const bindings = Object.keys(targets).map((target) => ({ target, role: "both" }));
        const config = configSchema.parse({
          environments: { [ENVIRONMENT]: { secrets: { [KEY]: { bindings } }, targets } },
        });
        await applyConfig(composed.context, ACTOR, { config });
        await places.afterApply?.(composed.context, ACTOR, ENVIRONMENT, agentUrl);
        await settled(looking, AbortSignal.any([roundSignal, AbortSignal.timeout(ROUND_MS)]));
      },
      async change(value, roundSignal) {
        const { rows } = await looking.query<{ now: string }>("select clock_timestamp()::text as now");
        const begunAt = rows[0]?.now ?? "";
        await set(value);
        await settled(looking, AbortSignal.any([roundSignal, AbortSignal.timeout(ROUND_MS)]));
        return await timesSince(looking, begunAt);
      },
      doctor: (signal) => runDoctor(composed.context, { live: true, timeoutMs: ROUND_MS }, signal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startWorker(env: Readonly<Record<string, string>>): Promise<() => Promise<void>> {
  const child = fork(join(import.meta.dirname, "worker-process.ts"), {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
    execArgv: [
      "--import",
      "tsx",
      ...(process.env["BENCH_PROFILE"]
        ? ["--cpu-prof", `--cpu-prof-dir=${process.env["BENCH_PROFILE"]}`]
        : []),
    ],
  });
  const [said] = (await Promise.race([once(child, "message"), once(child, "exit")])) as [unknown];
  if (said !== "started") throw new Error("the worker did not start");
  return async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await gone;
  };
}

async function settled(client: pg.Client, signal: AbortSignal): Promise<void> {
  while (true) {
    const { rows } = await client.query<{ open: boolean }>(`
      select exists (select 1 from rollout where state in ('running', 'stalled'))
        or exists (select 1 from target where generation <> settled_generation)
        or exists (select 1 from activation where state in ('owed', 'requested')) as open`);
    if (rows[0]?.open === false) return;
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** All times are the database's. */
async function timesSince(client: pg.Client, begunAt: string): Promise<Times> {
  const since = async (query: string): Promise<readonly number[]> => {
    const { rows } = await client.query<{ ms: number }>(query, [begunAt]);
    return rows.map(({ ms }) => Number(ms));
  };
  return {
    storedMs: await since(`
      select extract(epoch from max(ended_at) - $1::timestamptz) * 1000 as ms from push
      where outcome = 'succeeded' and started_at >= $1::timestamptz group by target_id`),
    runningMs: await since(`
      select extract(epoch from max(ended_at) - $1::timestamptz) * 1000 as ms from activation
      where state = 'succeeded' and created_at >= $1::timestamptz group by unit_id`),
  };
}
