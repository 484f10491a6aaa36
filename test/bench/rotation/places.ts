/**
 * Where the bench's services run: on the simulated Railway, on hosts behind a real sshd, and on machines with an agent.
 * Verifiers have a front that routes to the newest process that listens, as Railway's edge does and as a reverse proxy on a
 * host does; the old process ends its calls before it goes.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEdge } from "../../../src/demo/edge.ts";
import { replicaCommands } from "../../../src/simulator/railway/replica-commands.ts";
import { type RailwaySimulator, startRailwaySimulator } from "../../../src/simulator/railway/server.ts";
import type { EnrolOrder } from "../support/agents-process.ts";
import type { BenchOptions } from "../support/bench.ts";
import { startFleet } from "../support/ssh-fleet.ts";
import { type Machine, setUpMachine } from "./machine.ts";

export const KEY = "KEY";
const SERVICE = join(import.meta.dirname, "service-process.ts");
/** Railway's builds take a minute; here they take a moment, and everything else is as the API has it. */
const DURATIONS = { initializingMs: 50, buildingMs: 300, deployingMs: 100, secondMs: 100 } as const;
const VERIFIERS = ["railway-verifier-1", "railway-verifier-2", "host-verifier"] as const;
export const CALLERS = [
  "railway-caller-1",
  "railway-caller-2",
  "host-caller-1",
  "host-caller-2",
  "agent-caller-1",
  "agent-caller-2",
] as const;
export const AGENTS = ["agent-caller-1", "agent-caller-2"] as const;

export interface RotationPlaces {
  readonly simulator: RailwaySimulator;
  /** As lockstep.yaml has them. */
  readonly targets: Readonly<Record<string, unknown>>;
  readonly bindings: readonly Readonly<Record<string, unknown>>[];
  machine(service: string): Machine;
  /** The agents' programs, each a process; with the codes by target. They serve until the bench is over. */
  startAgents(codes: ReadonlyMap<string, string>): Promise<void>;
}

interface Told {
  readonly value: string;
  readonly perSecond: number;
  readonly reportTo: string;
}

export async function startPlaces(options: BenchOptions, told: Told): Promise<RotationPlaces> {
  const { cleanUp } = options;
  const room = mkdtempSync(join(tmpdir(), "lockstep-rotation-"));
  cleanUp(() => rmSync(room, { recursive: true, force: true }));
  const portFile = (service: string): string => join(room, `${service}.port`);
  const edges = new Map<string, string>();
  for (const verifier of VERIFIERS) {
    const edge = await startEdge(portFile(verifier));
    cleanUp(() => edge.close());
    edges.set(verifier, edge.url);
  }
  const variablesOf = (service: string): Readonly<Record<string, string>> => ({
    NAME: service,
    ROLE: service.includes("verifier") ? "verifier" : "caller",
    PORT_FILE: portFile(service),
    PEERS: [...edges.values()].join(" "),
    PER_SECOND: String(told.perSecond / CALLERS.length),
    REPORT_TO: told.reportTo,
    PATH: process.env["PATH"] ?? "",
    [KEY]: told.value,
  });
  const services = [...VERIFIERS, ...CALLERS];
  const named = (kind: string) => services.filter((name) => name.startsWith(kind));
  const machines = new Map<string, Machine>();
  const start = async (name: string, directory: string): Promise<Machine> => {
    const machine = setUpMachine(directory, SERVICE, variablesOf(name));
    machines.set(name, machine);
    cleanUp(() => machine.stop());
    await machine.restart();
    return machine;
  };
  const railway = await onRailway(options, named("railway"), variablesOf);
  const hosts = await onHosts(options, named("host"), start);
  const agents = await besideAgents(named("agent"), room, start);
  const probe = (url: string) => ({
    http: { url, headers: { "X-Internal-Secret": "{{value}}" }, accepted: [200], refused: [401, 403] },
  });
  return {
    simulator: railway.simulator,
    targets: { ...railway.targets, ...hosts, ...agents.targets },
    bindings: [
      ...VERIFIERS.map((target) => ({
        target,
        role: "verifier",
        probe: probe(`${edges.get(target) ?? ""}/`),
      })),
      ...CALLERS.map((target) => ({ target, role: "caller" })),
    ],
    machine(service) {
      const machine = machines.get(service);
      if (machine === undefined) throw new Error(`there is no machine for ${service}`);
      return machine;
    },
    async startAgents(codes) {
      for (const name of AGENTS)
        await startAgent(options, { code: codes.get(name) ?? "", home: agents.homes.get(name) ?? "" });
    },
  };
}

async function onRailway(
  { cleanUp }: BenchOptions,
  names: readonly string[],
  variablesOf: (service: string) => Readonly<Record<string, string>>,
) {
  const command = { command: ["node", "--import", "tsx", SERVICE], readyWhenItPrints: "ready" };
  const simulator = await startRailwaySimulator({
    rateLimit: { limit: 100_000_000 },
    durations: DURATIONS,
    onDeploymentStarted: replicaCommands(Object.fromEntries(names.map((name) => [name, command]))),
  });
  cleanUp(() => simulator.close());
  const { projectId: project, environmentId: environment, projectToken: token } = simulator.defaults;
  const targets: Record<string, unknown> = {};
  for (const name of names) {
    const { serviceId } = await simulator.state.addService({
      name,
      variables: variablesOf(name),
      overlapSeconds: 1,
      drainingSeconds: 5,
    });
    targets[name] = { railway: { project, environment, service: serviceId, token, endpoint: simulator.url } };
  }
  return { simulator, targets };
}

type StartMachine = (name: string, directory: string) => Promise<Machine>;

async function onHosts(options: BenchOptions, names: readonly string[], start: StartMachine) {
  const fleet = await startFleet(names.length, options);
  const targets: Record<string, unknown> = {};
  for (const [index, name] of names.entries()) {
    const host = fleet.hosts[index];
    if (host === undefined) throw new Error("too few hosts");
    const { file, script } = await start(name, host.directory);
    targets[name] = {
      ssh: {
        host: host.host,
        port: host.port,
        user: fleet.user,
        hostKey: host.sshd.hostKey,
        privateKey: host.sshd.clientKey.privateKey,
      },
      files: [{ path: file, format: "dotenv" }],
      activate: { command: [script], process: { pidFile: join(host.directory, "pid") } },
    };
  }
  return targets;
}

async function besideAgents(names: readonly string[], room: string, start: StartMachine) {
  const targets: Record<string, unknown> = {};
  const homes = new Map<string, string>();
  for (const name of names) {
    const home = join(room, name);
    for (const directory of ["app", "policy"])
      mkdirSync(join(home, directory), { recursive: true, mode: 0o700 });
    const { script } = await start(name, join(home, "app"));
    writeFileSync(
      join(home, "policy", "agent-policy.yaml"),
      `files: ["~/app/env"]\ncommands: { restart: [${JSON.stringify(script)}], look: ["/bin/true"] }\n`,
      { mode: 0o600 },
    );
    homes.set(name, home);
    targets[name] = {
      agent: {},
      files: [{ path: "~/app/env", format: "dotenv" }],
      activate: { command: "restart" },
      health: { command: "look" },
    };
  }
  return { targets, homes };
}

async function startAgent({ cleanUp }: BenchOptions, order: EnrolOrder): Promise<void> {
  const agent = fork(join(import.meta.dirname, "../support/agents-process.ts"), {
    env: { PATH: process.env["PATH"], HOME: order.home },
    execArgv: ["--import", "tsx"],
  });
  cleanUp(async () => {
    if (agent.exitCode !== null || agent.signalCode !== null) return;
    const gone = once(agent, "exit");
    agent.kill("SIGTERM");
    await gone;
  });
  agent.send([order]);
  const [said] = (await Promise.race([once(agent, "message"), once(agent, "exit")])) as [unknown];
  if (said !== "running") throw new Error("an agent did not start");
}
