/**
 * What an idle agent costs the server, and how soon all of them know that something changed.
 *
 * Three processes besides Postgres: a real `lockstep server`, one that plays all agents (real TLS, signed requests, a
 * stream each), and this one, which tells of changes as a worker does after its commit.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { createPostgresAgentNotifier } from "../../../src/adapters/agent-notifier/postgres-agent-notifier.ts";
import { migratePostgresQueue } from "../../../src/adapters/queue/postgres-queue.ts";
import type { StoreConnection } from "../../../src/adapters/store/pool.ts";
import {
  databaseUrl,
  SILENT,
  startTestCluster,
  TEMPLATE,
  withAdmin,
} from "../../support/database-clusters.ts";
import { newAgentKeys, type PlayedIdentity, publicOf } from "../../support/played-agent.ts";
import type { Bench, BenchOptions } from "../support/bench.ts";
import { percentile, round } from "../support/numbers.ts";
import { type AgentsAnswer, type AgentsOrder, machineNowMs, type ServerAnswer } from "./messages.ts";

interface Run {
  readonly agents: number;
  readonly tls: boolean;
  readonly rssPerAgentKiB: number;
  readonly heapPerAgentKiB: number;
  readonly serverRssMiB: number;
  readonly connectedPerSecond: number;
  readonly notifyP50Ms: number;
  readonly notifyP99Ms: number;
  readonly notifyOneP50Ms: number;
}

/** What a process needs once, for its first requests, is no agent's. */
const FIRST = 100;
/** Until what connecting left behind has been collected. */
const SETTLE_MS = 1_500;

export const bench: Bench = {
  about: "memory of an idle agent's stream, and how soon all agents hear of a change",
  async run(options) {
    const cluster = await startTestCluster("embedded");
    options.cleanUp(() => cluster.stop());
    const sizes = options.quick ? [1_000] : [1_000, 5_000];
    const runs: Run[] = [];
    for (const agents of sizes) {
      for (const tls of [false, true]) {
        options.say(`${agents} agents ${tls ? "over TLS" : "without TLS"}`);
        runs.push(
          await measure(cluster.connection, { agents, tls, rounds: options.quick ? 10 : 30 }, options),
        );
      }
    }
    const last = runs.at(-1);
    return {
      result: {
        agents: last?.agents ?? 0,
        rssPerAgentKiB: last?.rssPerAgentKiB ?? null,
        notifyP50Ms: last?.notifyP50Ms ?? null,
        notifyP99Ms: last?.notifyP99Ms ?? null,
        runs: runs.map((run) => ({ ...run })),
      },
      tables: [
        {
          title: "Streams held by one server process",
          head: ["agents", "TLS", "RSS/agent KiB", "heap/agent KiB", "server MiB", "connects/s"],
          rows: runs.map((run) => [
            run.agents,
            run.tls ? "yes" : "no",
            run.rssPerAgentKiB,
            run.heapPerAgentKiB,
            run.serverRssMiB,
            run.connectedPerSecond,
          ]),
        },
        {
          title: "From a worker's word after its commit to the agent having it",
          head: ["agents", "TLS", "all: p50 ms", "all: p99 ms", "one: p50 ms"],
          rows: runs.map((run) => [
            run.agents,
            run.tls ? "yes" : "no",
            run.notifyP50Ms,
            run.notifyP99Ms,
            run.notifyOneP50Ms,
          ]),
        },
      ],
      conditions: [
        "one server process (API, agents' listener, notifications over NOTIFY on the embedded PostgreSQL), one process that plays all agents, one that tells",
        "RSS per agent: the server's resident memory with all streams open, less that with the first hundred, after a collection, by their number",
        "all: every agent is told at once, which is the worst case; p50 and p99 over all agents and rounds",
        "TLS 1.3 with the store's self-signed P-256 key; without TLS as behind a proxy on the same machine",
      ],
      limits: [
        "memory: nearly all of it is Node's socket and HTTP objects and OpenSSL's session, not Lockstep's own",
        "all at once: the two processes on both ends of the streams, which share the machine's cores",
        "descriptors: one per agent, and another while it asks; the hard limit of open files (`ulimit -Hn`) must be above that",
      ],
    };
  },
};

async function measure(
  cluster: StoreConnection,
  { agents, tls, rounds }: { readonly agents: number; readonly tls: boolean; readonly rounds: number },
  { signal, cleanUp }: Pick<BenchOptions, "signal" | "cleanUp">,
): Promise<Run> {
  const steps: (() => Promise<unknown>)[] = [];
  const undo = async (): Promise<void> => {
    for (const step of steps.splice(0).reverse()) await step();
  };
  cleanUp(undo);
  const database = `bench_${randomUUID().replaceAll("-", "")}`;
  const connection = { ...cluster, database };
  await withAdmin(cluster, (client) => client.query(`create database ${database} template ${TEMPLATE}`));
  await migratePostgresQueue(connection);
  const data = await mkdtemp(join(tmpdir(), "lockstep-bench-"));
  steps.push(() => rm(data, { recursive: true, force: true }));

  const server = start("server-process.ts", {
    LOCKSTEP_DATA: data,
    DATABASE_URL: databaseUrl(connection),
    LOCKSTEP_LOG_LEVEL: "warn",
    LOCKSTEP_AGENT_TLS: tls ? "on" : "off",
  });
  steps.push(() => end(server));
  const { url } = await hear<ServerAnswer, "started">(server, "started", signal);
  const identities = await plant(connection, agents, url);
  const players = start("agents-process.ts", {});
  steps.push(() => end(players));
  const connect = async (some: readonly PlayedIdentity[]): Promise<number> => {
    tell(players, { kind: "connect", identities: some });
    const { tookMs } = await hear<AgentsAnswer, "connected">(players, "connected", signal);
    await delay(SETTLE_MS, undefined, { signal });
    return tookMs;
  };
  await connect(identities.slice(0, FIRST));
  const before = await memoryOf(server, signal);
  const tookMs = await connect(identities.slice(FIRST));
  const after = await memoryOf(server, signal);

  const notifier = createPostgresAgentNotifier(connection, SILENT);
  steps.push(() => notifier.close());
  const targetIds = identities.map(({ targetId }) => targetId);
  const toldOnce = async (ids: readonly string[]): Promise<readonly number[]> => {
    tell(players, { kind: "await-changes", count: ids.length });
    await hear<AgentsAnswer, "armed">(players, "armed", signal);
    const begunMs = machineNowMs();
    notifier.notify(ids);
    const { atMs } = await hear<AgentsAnswer, "heard">(players, "heard", signal);
    return atMs.map((at) => at - begunMs);
  };
  // The first opens the connection.
  await toldOnce(targetIds.slice(0, 1));
  const one: number[] = [];
  const all: number[] = [];
  for (let round = 0; round < rounds; round += 1)
    one.push(...(await toldOnce(targetIds.slice(round, round + 1))));
  for (let round = 0; round < rounds; round += 1) all.push(...(await toldOnce(targetIds)));
  await undo();
  return {
    agents,
    tls,
    rssPerAgentKiB: round((after.rssKiB - before.rssKiB) / (agents - FIRST)),
    heapPerAgentKiB: round((after.heapKiB - before.heapKiB) / (agents - FIRST)),
    serverRssMiB: round(after.rssKiB / 1_024),
    connectedPerSecond: round(((agents - FIRST) / tookMs) * 1_000),
    notifyP50Ms: round(percentile(all, 0.5)),
    notifyP99Ms: round(percentile(all, 0.99)),
    notifyOneP50Ms: round(percentile(one, 0.5)),
  };
}

/** Agents that have enrolled, each at a target of its own: written into the store directly, as it is not enrolment that is measured. */
async function plant(
  connection: StoreConnection,
  count: number,
  url: string,
): Promise<readonly (PlayedIdentity & { readonly targetId: string })[]> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    const { rows: meta } = await client.query<{ store_id: string }>("select store_id from store_meta");
    const storeId = meta[0]?.store_id ?? "";
    const identities = Array.from({ length: count }, () => ({
      ...newAgentKeys(),
      url,
      pin: null,
      storeId,
      agentId: randomUUID(),
      targetId: randomUUID(),
      // Streams need none.
      bundleKey: { kty: "OKP", crv: "Ed25519", x: "" } as const,
    }));
    await client.query("insert into environment (name) values ('production')");
    await client.query(
      `insert into target (id, environment_id, name, kind, config, destination)
       select id, (select id from environment), 'target-' || id, 'agent', '{}', 'agent:' || id from unnest($1::uuid[]) as id`,
      [identities.map(({ targetId }) => targetId)],
    );
    await client.query(
      `insert into enrolment (id, target_id, lookup_hash, mac_key_sealed, actor, expires_at)
       select id, id, id, '', '{}', now() from unnest($1::uuid[]) as id`,
      [identities.map(({ targetId }) => targetId)],
    );
    await client.query(
      `insert into agent (id, target_id, enrolment_id, state, sign_key, encrypt_key, activated_at)
       select id, target_id, target_id, 'active', sign_key, encrypt_key, now()
       from unnest($1::uuid[], $2::uuid[], $3::jsonb[], $4::jsonb[]) as agent (id, target_id, sign_key, encrypt_key)`,
      [
        identities.map(({ agentId }) => agentId),
        identities.map(({ targetId }) => targetId),
        identities.map(({ signKey }) => JSON.stringify(publicOf(signKey))),
        identities.map(({ encryptKey }) => JSON.stringify(publicOf(encryptKey))),
      ],
    );
    return identities;
  } finally {
    await client.end();
  }
}

function start(file: string, env: Readonly<Record<string, string>>): ChildProcess {
  return fork(join(import.meta.dirname, file), {
    execArgv: ["--import", "tsx", "--expose-gc"],
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

function tell(child: ChildProcess, order: AgentsOrder): void {
  child.send(order);
}

async function memoryOf(server: ChildProcess, signal: AbortSignal) {
  server.send("memory");
  return hear<ServerAnswer, "memory">(server, "memory", signal);
}

/** Rejects when the child ends instead. */
function hear<Answer extends { readonly kind: string }, Kind extends Answer["kind"]>(
  child: ChildProcess,
  kind: Kind,
  signal: AbortSignal,
): Promise<Extract<Answer, { readonly kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      child.off("message", onMessage);
      child.off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onMessage = (message: unknown): void => {
      const answer = message as Answer;
      if (answer.kind === kind) done(() => resolve(answer as Extract<Answer, { readonly kind: Kind }>));
    };
    const onExit = (): void => done(() => reject(new Error(`a process of the bench ended before "${kind}"`)));
    const onAbort = (): void => done(() => reject(signal.reason));
    child.on("message", onMessage);
    child.once("exit", onExit);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
