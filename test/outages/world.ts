/**
 * One small production with real parts: two services on the simulated Railway, a host behind a real sshd with a real
 * process, a machine with a real agent; the server's API and the command line in this process. In it things are broken as
 * people break them, doctor is asked, and what it prints is run as it is printed.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { SshConnections } from "../../src/adapters/hosts/ssh/connections.ts";
import { agentKind } from "../../src/adapters/targets/agent/target.ts";
import { railwayKind } from "../../src/adapters/targets/railway/target.ts";
import { sshKindOn } from "../../src/adapters/targets/ssh/target.ts";
import { inviteAgent } from "../../src/app/agents/enrolment/manage-agents.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { checkScheduled } from "../../src/app/drift/check-scheduled.ts";
import { dueRenewals } from "../../src/app/renewals/renew-due.ts";
import { renewSecret } from "../../src/app/renewals/renew-secret.ts";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { SYSTEM } from "../../src/core/actor.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { TargetKind } from "../../src/core/ports/target-kind.ts";
import { type AgentServer, createAgentServer } from "../../src/edges/http/agents/server.ts";
import type { DoctorAnswer, FindingView } from "../../src/protocol/api-doctor.ts";
import { type Ran, type RunOptions, runCli } from "../support/cli-kit.ts";
import type { TestDatabase } from "../support/database.ts";
import type { FakeSystemctl } from "../support/fake-systemctl.ts";
import { answerOf, createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLocalAgentNotifier } from "../support/local-agent-notifier.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import type { RunningSshd } from "../support/sshd.ts";
import { RailwayKit } from "../targets/railway/kit.ts";
import { SECRET, type WorldConfig, worldConfig } from "./config.ts";
import { type HostOptions, startHost } from "./host.ts";
import { type MachineOptions, makeMachine, type WorldMachine } from "./machine.ts";

export { SECRET, VPS_KEY, type WorldConfig } from "./config.ts";
export const FIRST = "canary-first-88f1-aaaaaaaa";
export const SECOND = "canary-second-88f1-bbbbbbbb";

const run = promisify(execFile);
const RESTS_WITHIN_MS = 30_000;

export interface World {
  readonly loop: LoopKit;
  readonly context: AppContext;
  readonly railway: RailwayKit;
  readonly worker: string;
  readonly sshd: RunningSshd;
  readonly systemctl: FakeSystemctl;
  readonly machine: WorldMachine;
  readonly directory: string;
  /** Files by what they are: the host's environment file, the machine's `.env`. */
  readonly files: { readonly vps: string; readonly mini: string; readonly policy: string };
  readonly said: string[];
  /** lockstep.yaml as it is, with changes. */
  configure(change?: (config: WorldConfig) => void): Promise<Ran>;
  cli(line: string | readonly string[], options?: RunOptions): Promise<Ran>;
  doctor(flags?: string): Promise<{ readonly exitCode: number; readonly answer: DoctorAnswer }>;
  /** As printed, in a shell of its own where it is not Lockstep's; the workers work meanwhile. */
  paste(command: string | null): Promise<void>;
  /** By target: in place of the platform's first token. */
  readonly tokens: Map<string, string>;
  /** As the schedule would. */
  checkNow(target: string): Promise<void>;
  /** The secret's current value. */
  current(): Promise<string>;
  /** The tokens that are due. */
  renew(): Promise<void>;
  /** Until a push to it failed and nothing else is owed: it is tried again by itself, so that there is no rest. */
  untilRefused(target: string): Promise<void>;
  /** The workers work until the query has rows. */
  untilRows(what: string, query: string): Promise<void>;
  /** Until nothing is owed. */
  rest(): Promise<void>;
  startAgent(): Promise<void>;
  stopAgent(): Promise<void>;
  stop(): Promise<void>;
}

export interface WorldOptions extends HostOptions, MachineOptions {
  /** What else lockstep.yaml says, at all times. `homes`: of the host's user, and of the machine's. */
  readonly config?: (config: WorldConfig, homes: { readonly host: string; readonly machine: string }) => void;
  /** What stands there before anything is configured. */
  readonly prepare?: (homes: { readonly host: string; readonly machine: string }) => void;
}

export async function startWorld(database: TestDatabase, options: WorldOptions = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-outages-"));
  const loop = createLoopKit(database);
  await loop.reset();
  const railway = new RailwayKit();
  await railway.start();
  const { serviceId: worker } = await railway.railway.state.addService({ name: "worker" });
  const host = await startHost(directory, options);
  const { sshd, systemctl } = host;
  const said: string[] = [];
  const machine = makeMachine(directory, said, options);
  const tokens = new Map<string, string>();
  const lines = new SshConnections();
  const context = loop.other({
    targetKinds: new Map<string, TargetKind>([
      ["railway", railwayKind],
      ["ssh", sshKindOn(lines)],
      ["agent", agentKind],
    ]),
    agentNotifier: createLocalAgentNotifier(),
    timing: { ...loop.context.timing, quietMs: 0, maxQuietMs: 0 },
  });
  const http: HttpKit = await createHttpKit(context);
  const { url } = await http.server.listen(0);
  const token = await http.token(...LOCAL_ADMIN_SCOPES);
  const agents: AgentServer = createAgentServer({ context, tls: null });
  const agentsUrl = `http://127.0.0.1:${await agents.listen("127.0.0.1", 0)}`;
  const path = join(directory, "lockstep.yaml");
  const owed = async () => {
    const rows = await loop.rows<{ what: string }>(
      "select name as what from target where generation <> settled_generation and gave_up_at is null and removed_at is null union all select state from activation where state in ('owed', 'requested') union all select state from rollout where state = 'running'",
    );
    return rows.map(({ what }) => what);
  };
  /** Leases stay: an agent works beside us. */
  const hurry = async () => {
    await database.pool.query(
      "update target set next_action_at = now() where generation <> settled_generation and gave_up_at is null and coalesce(lease_until < now(), true)",
    );
    await database.pool.query(
      "update activation set next_action_at = now() where state in ('owed', 'requested')",
    );
    await database.pool.query(
      "update rollout set next_action_at = now() where state in ('running', 'stalled')",
    );
  };
  const step = async () => {
    await loop.landed();
    await hurry();
    await loop.drain(context).catch((error: unknown) => {
      // An agent's report came first; what is left is taken up in the next round.
      if (!(error instanceof LockstepError && error.code === "LEASE_LOST")) throw error;
    });
    await world.renew();
    await railway.railway.state.idle();
  };

  const until = async (otherwise: string, holds: () => Promise<boolean>) => {
    for (const deadline = Date.now() + RESTS_WITHIN_MS; Date.now() < deadline; ) {
      await step();
      if (await holds()) return;
      // What an agent does, it does beside us.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const said = world.said.slice(-5).join("\n");
    throw new Error(`${otherwise} (owed: ${(await owed()).join(", ")}); it said: ${said}`);
  };

  const world: World = {
    loop,
    context,
    railway,
    worker,
    sshd,
    systemctl,
    machine,
    directory,
    files: { vps: host.file, mini: machine.file, policy: machine.policy },
    said,
    tokens,
    async current() {
      const { stdout } = await runCli(["secret", "reveal", SECRET], {
        env: { LOCKSTEP_URL: url, LOCKSTEP_TOKEN: token },
      });
      return stdout.trim();
    },
    async renew() {
      for (const { id } of await dueRenewals(context, 10))
        await renewSecret(context, SYSTEM, id, "due", new AbortController().signal);
    },
    async checkNow(name) {
      await database.pool.query("update target set next_check_at = now() where name = $1", [name]);
      const target = await context.store.read.targets.findByName("production", name);
      await checkScheduled(context, target?.id ?? "", new AbortController().signal);
    },
    async configure(change = () => undefined) {
      const wanted = worldConfig({ railway, worker, host, machine, tokens });
      options.config?.(wanted, { host: sshd.home, machine: machine.home });
      change(wanted);
      writeFileSync(path, JSON.stringify(wanted));
      return await world.cli(["apply", "--yes", "-f", path]);
    },
    async cli(line, options = {}) {
      const ran = await runCli(typeof line === "string" ? line.split(" ") : line, {
        ...options,
        env: { LOCKSTEP_URL: url, LOCKSTEP_TOKEN: token, LOCKSTEP_CONFIG: path, ...options.env },
      });
      world.said.push(ran.stdout, ran.stderr);
      return ran;
    },
    async doctor(flags = "") {
      // Longer than a person waits: a machine that is busy with other suites is no outage.
      const ran = await world.cli(`doctor --json --timeout 15s${flags}`);
      return { exitCode: ran.exitCode, answer: answerOf("doctor", ran.json()) };
    },
    async paste(command) {
      if (command === null) throw new Error("doctor printed no command");
      for (const line of command.startsWith("ssh ") ? [command] : command.split(" && ")) {
        const working = { done: false };
        const pasted = (
          line.startsWith("lockstep ")
            ? world
                .cli(inDirectory(await wordsOf(line.slice("lockstep ".length))), { types: "y\n" })
                .then(assertRan)
            : shellRun(line)
        ).finally(() => {
          working.done = true;
        });
        pasted.catch(() => undefined);
        // Who waits for its end waits for workers.
        while (!working.done) {
          await step();
          await Promise.race([
            pasted.catch(() => undefined),
            new Promise((resolve) => setTimeout(resolve, 20)),
          ]);
        }
        await pasted;
      }
      await world.rest();
    },
    untilRefused: (name) =>
      until(`nothing was refused by ${name}`, async () => {
        const refused = await loop.rows(
          `select from target where name = '${name}' and generation <> settled_generation and error_code is not null`,
        );
        return refused.length > 0 && (await owed()).every((what) => what === name || what === "running");
      }),
    untilRows: (what, query) =>
      until(`${what} did not come`, async () => (await loop.rows(query)).length > 0),
    rest: () => until("it does not come to rest", async () => (await owed()).length === 0),
    startAgent: async () => machine.start(),
    stopAgent: () => machine.stop(),
    async stop() {
      await world.stopAgent();
      await agents.close();
      await http.server.close();
      await lines.close();
      await railway.stop();
      await host.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };

  /** Where lockstep.yaml is. */
  function inDirectory(words: readonly string[]): readonly string[] {
    return words[0] === "apply" ? [...words, "-f", path] : words;
  }

  async function shellRun(line: string): Promise<void> {
    await run("/bin/sh", ["-c", line], {
      env: { PATH: `${host.client}:${process.env["PATH"] ?? ""}`, HOME: directory },
    });
  }

  options.prepare?.({ host: sshd.home, machine: machine.home });
  expect((await world.configure()).exitCode).toBe(0);
  const { code } = await inviteAgent(context, TESTER, {
    environment: "production",
    target: "mini",
    reusable: false,
    livesMs: 60_000,
    listener: { url: agentsUrl, tlsKeyDigest: null },
  });
  await machine.enrol(code);
  await world.startAgent();
  for (const value of [FIRST, SECOND]) {
    expect((await world.cli(`secret set ${SECRET}`, { stdin: value })).exitCode).toBe(0);
    await world.rest();
  }
  return world;
}

function assertRan(ran: Ran): void {
  // 4: it was done, and nobody can read what stands there now.
  if (ran.exitCode !== 0 && ran.exitCode !== 4)
    throw new Error(`exit code ${ran.exitCode}: ${ran.stderr}${ran.stdout}`);
}

/** By a real shell, as a person's would take the line apart. */
async function wordsOf(line: string): Promise<readonly string[]> {
  const { stdout } = await run("/bin/sh", ["-c", `printf '%s\\0' ${line}`]);
  return stdout.split("\0").slice(0, -1);
}

export function textOf(path: string): string {
  return readFileSync(path, "utf8");
}

export function wrong({ findings }: DoctorAnswer): readonly FindingView[] {
  return findings.filter(({ severity }) => severity !== "hint");
}
