/**
 * The previous release and this one as an operator runs them: servers and workers as processes of their own, on one
 * Postgres and one Redis, with a service on the simulated Railway, a host behind a real sshd, and a machine with an agent.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { freePort } from "../../src/simulator/free-port.ts";
import { type RailwaySimulator, startRailwaySimulator } from "../../src/simulator/railway/server.ts";
import { runCli } from "../support/cli-kit.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { databaseUrl } from "../support/database-clusters.ts";
import { end, until } from "../support/fault-kit.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";

export const SECRET = "INTERNAL_AUTH_SECRET";
/** At a target that the other secret does not stand at. */
export const OTHER_SECRET = "WEBHOOK_SECRET";
/** Of an agent too: what it says when all is well, and while another server takes the place of its own. */
const QUIET =
  /^$|^Stopping;|"level":"(info|debug)"|^lockstep: (agent of target|everything stands|command:restart runs|speaking with the server: SERVER_UNREACHABLE)/;
const ROLES = ["server", "worker", "migrate"];
const NOTHING_OWED = `
  select not exists (select 1 from rollout where state in ('running', 'stalled'))
    and not exists (select 1 from target where generation <> settled_generation)
    and not exists (select 1 from activation where state in ('owed', 'requested')) as rests`;

/** A release's program, the path of its `main.js`. `name`: also of its data directory. */
export interface Release {
  readonly name: string;
  readonly main: string;
  /** Its command line is the one of this process. */
  readonly inProcess: boolean;
}

export interface Running {
  /** What it logged as an error or a warning, and whatever else it said on standard error. */
  complaints(): readonly string[];
  /** As an operator stops it; throws when it does not end in order. */
  stop(): Promise<void>;
}

export interface Answer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class TwoReleases {
  readonly #directory = mkdtempSync(join(tmpdir(), "lockstep-upgrade-"));
  readonly #children = new Set<ChildProcessWithoutNullStreams>();
  #env: Readonly<Record<string, string>> = {};
  #database!: TestDatabase;
  #redis!: TestRedis;
  #railway!: RailwaySimulator;
  #sshd!: RunningSshd;
  #serviceId = "";
  /** Of the first server: where the agent reaches it. */
  agentsAsBefore: Readonly<Record<string, string>> = {};
  #said = "";

  async start(): Promise<void> {
    this.#database = await createTestDatabase("postgres", { migrated: false });
    this.#redis = await startRedis();
    this.#railway = await startRailwaySimulator({
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
    ({ serviceId: this.#serviceId } = await this.#railway.state.addService({ name: "api" }));
    this.#sshd = await startSshd();
    for (const directory of [this.#app, this.#machine, join(this.#machine, "policy")])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(
      join(this.#machine, "policy", "agent-policy.yaml"),
      `files: ["~/env"]\ncommands: { restart: ["/bin/cp", "${this.#machine}/env", "${this.#machine}/running"] }\n`,
      { mode: 0o600 },
    );
    const port = await freePort();
    this.agentsAsBefore = { LOCKSTEP_AGENT_LISTEN: `127.0.0.1:${port}` };
    this.#env = {
      DATABASE_URL: databaseUrl(this.#database.connection),
      REDIS_URL: this.#redis.url,
      LOCKSTEP_ROOT_KEY_FILE: join(this.#directory, "root.key"),
      LOCKSTEP_QUIET_SECONDS: "0",
    };
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await end(child);
    await this.#sshd?.stop();
    await this.#railway?.close();
    await this.#redis?.stop();
    await this.#database?.drop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #app(): string {
    return join(this.#sshd.home, "app");
  }

  get #machine(): string {
    return join(this.#directory, "machine");
  }

  rows<T>(query: string): Promise<readonly T[]> {
    return this.#database.pool.query(query).then(({ rows }) => rows as T[]);
  }

  #spawn({ name, main }: Release, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const data = join(this.#directory, name);
    const child = spawn(process.execPath, [main, ...words], {
      cwd: this.#directory,
      env: {
        PATH: process.env["PATH"],
        HOME: this.#directory,
        LOCKSTEP_DATA: data,
        ...(ROLES.includes(words[0] ?? "") ? this.#env : {}),
        ...(words[0] === "server" && name === "before" ? this.agentsAsBefore : {}),
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** A command of that release, to its own server. Of this release it runs in this process, which takes less time. */
  async run(release: Release, words: readonly string[], input = ""): Promise<Answer> {
    this.note(`${release.name}: lockstep ${words.join(" ")}`);
    if (release.inProcess && !ROLES.includes(words[0] ?? "")) {
      const env = { LOCKSTEP_DATA: join(this.#directory, release.name) };
      const { exitCode, stdout, stderr } = await runCli(words, { env, stdin: input });
      return { code: exitCode, stdout, stderr };
    }
    const child = this.#spawn(release, words);
    child.stdin.end(input);
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close"),
    ]);
    return { code: child.exitCode, stdout, stderr };
  }

  /** Ready when this is; throws with what it said where it does not start. */
  async serve(
    release: Release,
    role: "server" | "worker",
    env: Readonly<Record<string, string>> = {},
  ): Promise<Running> {
    const what = `${role} of ${release.name}`;
    const words = role === "server" ? ["server", "--port", "0"] : [role];
    return await this.#stay(this.#spawn(release, words, env), what, /is running/);
  }

  async startAgent(release: Release): Promise<Running> {
    const { stdout: code } = await this.run(release, ["agent", "invite", "mini"]);
    const env = {
      HOME: this.#machine,
      LOCKSTEP_AGENT_STATE: join(this.#machine, "state"),
      LOCKSTEP_AGENT_POLICY: join(this.#machine, "policy", "agent-policy.yaml"),
      LOCKSTEP_DATA: join(this.#machine, "none"),
    };
    const enrolling = this.#spawn(release, ["agent", "enroll"], env);
    enrolling.stdin.end(code);
    const [said] = await Promise.all([text(enrolling.stderr), once(enrolling, "close")]);
    if (enrolling.exitCode !== 0) throw new Error(`the agent was not enrolled: ${said}`);
    return await this.#stay(this.#spawn(release, ["agent", "run"], env), `agent of ${release.name}`, /./);
  }

  async #stay(child: ChildProcessWithoutNullStreams, what: string, ready: RegExp): Promise<Running> {
    let said = "";
    let logged = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        this.note(`${what}: ${chunk.toString()}`);
      });
    child.stderr.on("data", (chunk: Buffer) => {
      logged += chunk.toString();
    });
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`the ${what} ended at its start: ${said}`);
        return ready.test(said);
      },
      () => said,
    );
    return {
      complaints: () => logged.split("\n").filter((line) => !QUIET.test(line)),
      stop: async () => {
        await end(child, "SIGTERM");
        if (child.exitCode !== 0)
          throw new Error(`the ${what} ended with ${String(child.exitCode)}: ${said}`);
      },
    };
  }

  /** For who reads why something was not reached. */
  note(line: string): void {
    this.#said += `${line.trimEnd()}\n`;
  }

  /**
   * Until nothing is owed and no rollout is open. `hurried`: rollouts are looked at again and again, as by the time that
   * passes, because a worker that leaves one alone may have put its next look off.
   */
  async rests({ hurried = false } = {}): Promise<void> {
    await this.until(async () => {
      if (hurried) await this.rows("update rollout set next_action_at = now() where state = 'running'");
      return (await this.rows<{ rests: boolean }>(NOTHING_OWED))[0]?.rests === true;
    });
  }

  async until(reached: () => Promise<boolean>): Promise<void> {
    await until(reached, () => this.#said);
  }

  /** Of which secrets. */
  async openRollouts(): Promise<readonly string[]> {
    const rows = await this.rows<{ name: string }>(
      "select s.name from rollout r join secret s on s.id = r.secret_id where r.state in ('running', 'stalled') order by 1",
    );
    return rows.map(({ name }) => name);
  }

  /** As that release's server tells them. */
  async states(release: Release): Promise<readonly string[]> {
    const { stdout } = await this.run(release, ["status", "--json"]);
    const { secrets } = JSON.parse(stdout) as {
      readonly secrets: readonly {
        readonly name: string;
        readonly bindings: readonly Readonly<Record<"target" | "state" | "version" | "evidence", string>>[];
      }[];
    };
    return secrets
      .filter(({ name }) => name === SECRET)
      .flatMap(({ bindings }) =>
        bindings.map(({ target, state, version, evidence }) => `${target} ${state} v${version} ${evidence}`),
      );
  }

  /** What stands at the service, on the host and on the machine, and what was last started there. */
  async places(): Promise<Readonly<Record<string, string | null>>> {
    const stored = await this.#railway.state.storedVariables({ service: this.#serviceId });
    return {
      api: stored[SECRET] ?? null,
      vps: valueIn(join(this.#app, "env")),
      vpsRuns: valueIn(join(this.#app, "running")),
      mini: valueIn(join(this.#machine, "env")),
      miniRuns: valueIn(join(this.#machine, "running")),
    };
  }

  /** lockstep.yaml, in JSON; its path. */
  configure(): string {
    const { projectId: project, environmentId: environment, projectToken: token } = this.#railway.defaults;
    const service = this.#serviceId;
    const start = `cp ${this.#app}/env ${this.#app}/running`;
    const bindings = [
      { target: "api", role: "verifier" },
      { target: "vps", role: "caller" },
      { target: "mini", role: "caller" },
    ];
    const path = join(this.#directory, "lockstep.yaml");
    const targets = {
      api: { railway: { project, environment, service, token, endpoint: this.#railway.url } },
      vps: {
        ssh: this.#sshd.login,
        files: [{ path: `${this.#app}/env`, format: "systemd" }],
        activate: { command: ["/bin/sh", "-c", start] },
        health: { command: ["/usr/bin/test", "-s", `${this.#app}/running`] },
      },
      apart: { ssh: this.#sshd.login, files: [{ path: `${this.#app}/apart`, format: "systemd" }] },
      mini: {
        agent: {},
        files: [{ path: join(this.#machine, "env"), format: "systemd" }],
        activate: { command: "restart" },
        health: { command: "restart" },
      },
    };
    const secrets = {
      [SECRET]: { bindings },
      [OTHER_SECRET]: { bindings: [{ target: "apart", role: "caller" }] },
    };
    const environments = { production: { secrets, targets } };
    writeFileSync(path, JSON.stringify({ environments }), { mode: 0o600 });
    return path;
  }
}

function valueIn(path: string): string | null {
  if (!existsSync(path)) return null;
  return new RegExp(`^${SECRET}="(.*)"$`, "m").exec(readFileSync(path, "utf8"))?.[1] ?? null;
}
