/**
 * The whole job on real parts, for tests that break them: a store, a queue, the Railway simulator, a real sshd, and
 * workers as processes of their own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { on, once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { activateUnit } from "../../src/app/activation/activate-unit.ts";
import { followActivations } from "../../src/app/activation/follow-activations.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { applyConfig } from "../../src/app/config/apply-config.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { advanceRollout } from "../../src/app/rollouts/advance-rollout.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { composeContext } from "../../src/composition/compose.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { configSchema } from "../../src/protocol/config.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { childProgram } from "./child-program.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";
import type { StoreKind } from "./database-clusters.ts";
import { databaseUrl } from "./database-clusters.ts";
import { TESTER } from "./loop-kit.ts";
import { type RunningSshd, startSshd } from "./sshd.ts";

const SECRET = { environment: "production", name: "INTERNAL_AUTH_SECRET" };
const WORKER = join(import.meta.dirname, "../fault/worker-process.ts");
const DEADLINE_MS = 60_000;
const OPEN = `
  select exists (select 1 from rollout where state in ('running', 'stalled'))
    or exists (select 1 from target where generation <> settled_generation)
    or exists (select 1 from activation where state in ('owed', 'requested')) as open`;

export interface FaultKit {
  readonly context: AppContext;
  readonly railway: RailwaySimulator;
  readonly database: TestDatabase;
  startWorker(killAt?: string): Promise<ChildProcess>;
  /** Ends its work in order, as with SIGTERM, and stays for `workAgain`. */
  rest(worker: ChildProcess): Promise<void>;
  /** As a worker that was only just started. */
  workAgain(worker: ChildProcess, killAt: string): Promise<void>;
  /** A worker that freezes at this point (`stop-points.ts`). */
  startStopping(stopAt: string): Promise<StoppingWorker>;
  /** As the lease of a worker that is gone runs out, and the time in which its last write may land. */
  outlast(): Promise<void>;
  /** As the time passes in which a write may still land. */
  landed(): Promise<void>;
  /** Does what is owed in this process, as another worker would, until nothing is. */
  takeOver(): Promise<void>;
  set(value: string): Promise<void>;
  /** Until no rollout is open and no target owes anything. */
  settled(): Promise<void>;
  /** What stands at Railway, in the file on the host, and in what the host's unit was last started with. */
  places(): Promise<{
    readonly railway: string | undefined;
    readonly file: string | null;
    readonly running: string | null;
  }>;
  /** How often the host's unit was started. */
  hostStarts(): number;
  rows<T>(query: string): Promise<readonly T[]>;
  stderr(): string;
  /** As a restart of Postgres does to its clients. */
  cutStoreConnections(): Promise<void>;
  /** Ends all workers at once. */
  killWorkers(): Promise<void>;
  stop(): Promise<void>;
}

export interface StoppingWorker {
  /** Until it is frozen: the kernel says so. */
  stopped(): Promise<void>;
  /** Lets it go on; resolves when the jobs that it was frozen in have ended. */
  goOn(): Promise<void>;
  /** At once. */
  kill(): Promise<void>;
}

export async function startFaultKit(
  options: {
    readonly store?: StoreKind;
    readonly redisUrl?: string;
    /** The host's account may not run commands: nothing is restarted there. */
    readonly sftpOnly?: boolean;
  } = {},
): Promise<FaultKit> {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-fault-"));
  const database = await createTestDatabase(options.store ?? "embedded");
  await migratePostgresQueue(database.connection);
  const railway = await startRailwaySimulator({
    durations: {
      initializingMs: 10,
      buildingMs: 30,
      deployingMs: 20,
      sleepAfterMs: 50,
      restartingMs: 10,
      secondMs: 1,
      applyingMs: 5,
    },
  });
  const { serviceId } = await railway.state.addService({ name: "api" });
  const sftpOnly = options.sftpOnly === true;
  const sshd = await startSshd({ sftpOnly });
  const app = join(sshd.home, "app");
  mkdirSync(app, { mode: 0o700 });
  const env = {
    LOCKSTEP_DATA: join(directory, "data"),
    DATABASE_URL: databaseUrl(database.connection),
    LOCKSTEP_LOG_LEVEL: "warn",
    ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
  };
  const { context, close } = await composeContext("server", readSettings({}, env));
  await applyConfig(context, TESTER, { config: configOf(railway, serviceId, sshd, app, sftpOnly) });

  const workers: ChildProcess[] = [];
  let stderr = "";
  const rows = async <T>(query: string): Promise<readonly T[]> =>
    (await database.pool.query(query)).rows as T[];

  const begin = async (told: Readonly<Record<string, string>>): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [await childProgram(WORKER)], {
      env: { ...process.env, ...env, ...told },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    workers.push(child);
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await Promise.race([once(child.stdout ?? child, "data"), once(child, "exit")]);
    return child;
  };

  const tell = async (worker: ChildProcess, order: "rest" | { readonly killAt: string }): Promise<void> => {
    const done = once(worker, "message");
    worker.send(order);
    await Promise.race([done, once(worker, "exit")]);
  };

  return {
    context,
    railway,
    database,
    rows,
    rest: (worker) => tell(worker, "rest"),
    workAgain: (worker, killAt) => tell(worker, { killAt }),
    stderr: () => stderr,
    startWorker: (killAt) => begin(killAt === undefined ? {} : { KILL_AT: killAt }),
    async startStopping(stopAt) {
      const child = await begin({ STOP_AT: stopAt });
      let stoppedAtMs = 0;
      const isStopped = () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8"));
      return {
        async stopped() {
          await until(
            async () => isStopped(),
            () => stderr,
          );
          stoppedAtMs = performance.now();
        },
        async goOn() {
          // So long that it may not send any more what it had decided to.
          await until(
            async () => performance.now() - stoppedAtMs > 600,
            () => stderr,
          );
          child.kill("SIGCONT");
          for await (const [chunk] of on(child.stdout ?? child, "data"))
            if (/^running 0$/m.test(String(chunk))) return;
        },
        kill: () => end(child),
      };
    },
    outlast: async () => {
      await until(
        async () => {
          // As Postgres does after a minute with who holds a transaction and says nothing.
          const busy = await rows<{ ended: boolean }>(`
            select case when state = 'active' then false else pg_terminate_backend(pid) end as ended
            from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
              and state in ('active', 'idle in transaction', 'idle in transaction (aborted)')`);
          return busy.length === 0;
        },
        () => stderr,
      );
      await database.pool.query(
        "update target set lease_until = now() - interval '1 second', in_flight_until = now() where lease_until is not null",
      );
      await database.pool.query(
        "update activation set lease_until = now() - interval '1 second' where lease_until is not null",
      );
    },
    landed: async () => {
      await database.pool.query(
        "update target set in_flight_until = now(), next_action_at = now() where in_flight_until is not null",
      );
    },
    takeOver: () => doAllThatIsOwed(heirOf(context), rows),
    set: async (value) => void (await setSecret(context, TESTER, SECRET, { value: SecretValue.of(value) })),
    settled: () =>
      until(
        async () => {
          const [open] = await rows<{ open: boolean }>(OPEN);
          return open?.open === false;
        },
        () => stderr,
      ),
    async places() {
      const stored = await railway.state.storedVariables({ service: serviceId });
      return {
        railway: stored[SECRET.name],
        file: valueIn(join(app, "env")),
        running: valueIn(join(app, "running")),
      };
    },
    hostStarts: () => readFileSync(join(app, "starts"), "utf8").length,
    cutStoreConnections: async () => {
      await database.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
    },
    killWorkers: async () => {
      await Promise.all(workers.splice(0).map((child) => end(child)));
    },
    async stop() {
      for (const child of workers) await end(child);
      await close();
      await railway.close();
      await sshd.stop();
      await database.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configOf(
  railway: RailwaySimulator,
  service: string,
  sshd: RunningSshd,
  app: string,
  sftpOnly: boolean,
) {
  const { projectId: project, environmentId: environment, projectToken: token } = railway.defaults;
  const start = `cp ${app}/env ${app}/running && printf x >> ${app}/starts`;
  return configSchema.parse({
    environments: {
      production: {
        secrets: {
          [SECRET.name]: {
            bindings: [
              { target: "api", role: "verifier" },
              { target: "vps", role: "caller" },
            ],
          },
        },
        targets: {
          api: {
            railway: { project, environment, service, token, endpoint: railway.url, requestTimeoutMs: 1_000 },
          },
          vps: {
            ssh: { ...sshd.login, ...(sftpOnly ? { sftpOnly } : {}) },
            files: [{ path: `${app}/env`, format: "systemd" }],
            ...(sftpOnly
              ? {}
              : {
                  activate: { command: ["/bin/sh", "-c", start] },
                  health: { command: ["/usr/bin/test", "-s", `${app}/running`] },
                }),
          },
        },
      },
    },
  });
}

/** Waits for nothing but the places. */
function heirOf(context: AppContext): AppContext {
  const timing = { ...context.timing, quietMs: 0, minPollMs: 0, maxPollMs: 0, notStartedAfterMs: 1_500 };
  return {
    ...context,
    timing: { ...timing, readBackDelaysMs: [50, 100, 200, 400], retryFailedActivationMs: 100 },
  };
}

/** Times that lie ahead are taken as come: what waits for them would only wait. */
async function doAllThatIsOwed(
  context: AppContext,
  rows: <T>(query: string) => Promise<readonly T[]>,
): Promise<void> {
  const { signal } = new AbortController();
  const { read } = context.store;
  await until(
    async () => {
      await rows(
        "update target set next_action_at = now(), in_flight_until = null where generation <> settled_generation",
      );
      await rows("update activation set next_action_at = now() where state in ('owed', 'requested')");
      await rows("update rollout set next_action_at = now() where state in ('running', 'stalled')");
      for (const id of await read.targets.due(10)) await reconcileTarget(context, id, signal);
      for (const id of await read.activations.due(10)) await activateUnit(context, id, signal);
      for (const group of await read.activations.groupsDue(10))
        await followActivations(context, group, signal);
      for (const id of await read.rollouts.due(10)) await advanceRollout(context, id);
      const [open] = await rows<{ open: boolean }>(OPEN);
      return open?.open === false;
    },
    () => "nothing: this process does the work",
  );
}

function valueIn(path: string): string | null {
  try {
    return /"(.*)"/.exec(readFileSync(path, "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

/** Looks again as soon as the database answered; ends with what the workers said when it takes too long. */
export async function until(reached: () => Promise<boolean>, story: () => string): Promise<void> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  while (!(await reached())) {
    if (deadline.aborted) throw new Error(`not reached in time; the workers said: ${story().slice(-3_000)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
