/**
 * Where the bench's services run: two verifiers and two callers on the simulated Railway, a verifier and two callers on
 * hosts behind a real sshd. Verifiers have a front that routes to the newest process that listens, as Railway's edge does
 * and as a reverse proxy on a host does; the old process ends its calls before it goes.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEdge } from "../../../src/demo/edge.ts";
import { shellQuote } from "../../../src/lib/shell-quote.ts";
import { replicaCommands } from "../../../src/simulator/railway/replica-commands.ts";
import { type RailwaySimulator, startRailwaySimulator } from "../../../src/simulator/railway/server.ts";
import type { BenchOptions } from "../support/bench.ts";
import { type FleetHost, startFleet } from "../support/ssh-fleet.ts";

export const KEY = "KEY";
const SERVICE = join(import.meta.dirname, "service-process.ts");
/** Railway's builds take a minute; here they take a moment, and everything else is as the API has it. */
const DURATIONS = { initializingMs: 50, buildingMs: 300, deployingMs: 100, secondMs: 100 } as const;
const VERIFIERS = ["railway-verifier-1", "railway-verifier-2", "host-verifier"] as const;
const CALLERS = ["railway-caller-1", "railway-caller-2", "host-caller-1", "host-caller-2"] as const;

export interface RotationPlaces {
  readonly simulator: RailwaySimulator;
  /** As lockstep.yaml has them. */
  readonly targets: Readonly<Record<string, unknown>>;
  readonly bindings: readonly Readonly<Record<string, unknown>>[];
  /** The machine on which that service runs restarts it. */
  restartHost(service: "host-verifier"): void;
}

export async function startPlaces(
  { cleanUp, signal }: BenchOptions,
  told: { readonly value: string; readonly perSecond: number; readonly reportTo: string },
): Promise<RotationPlaces> {
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
    ROLE: service.includes("verifier") ? "verifier" : "caller",
    PORT_FILE: portFile(service),
    PEERS: [...edges.values()].join(" "),
    PER_SECOND: String(told.perSecond / CALLERS.length),
    REPORT_TO: told.reportTo,
    PATH: process.env["PATH"] ?? "",
    [KEY]: told.value,
  });
  const onRailway = [...VERIFIERS, ...CALLERS].filter((name) => name.startsWith("railway"));
  const onHosts = [...VERIFIERS, ...CALLERS].filter((name) => name.startsWith("host"));

  const simulator = await startRailwaySimulator({
    rateLimit: { limit: 100_000_000 },
    durations: DURATIONS,
    onDeploymentStarted: replicaCommands(
      Object.fromEntries(
        onRailway.map((name) => [
          name,
          { command: ["node", "--import", "tsx", SERVICE], readyWhenItPrints: "ready" },
        ]),
      ),
    ),
  });
  cleanUp(() => simulator.close());
  const { projectId: project, environmentId: environment, projectToken: token } = simulator.defaults;
  const targets: Record<string, unknown> = {};
  for (const name of onRailway) {
    const { serviceId } = await simulator.state.addService({
      name,
      variables: variablesOf(name),
      overlapSeconds: 1,
      drainingSeconds: 5,
    });
    targets[name] = { railway: { project, environment, service: serviceId, token, endpoint: simulator.url } };
  }
  const fleet = await startFleet(onHosts.length, { cleanUp, signal });
  const restarts = new Map<string, string>();
  for (const [index, name] of onHosts.entries()) {
    const host = fleet.hosts[index];
    if (host === undefined) continue;
    const restart = setUpHost(host, variablesOf(name));
    restarts.set(name, restart);
    cleanUp(() => stop(host));
    execFileSync(restart, { stdio: "ignore" });
    targets[name] = {
      ssh: {
        host: host.host,
        port: host.port,
        user: fleet.user,
        hostKey: host.sshd.hostKey,
        privateKey: host.sshd.clientKey.privateKey,
      },
      files: [{ path: join(host.directory, "env"), format: "dotenv" }],
      activate: { command: [restart] },
    };
  }
  const probe = (url: string) => ({
    http: { url, headers: { "X-Internal-Secret": "{{value}}" }, accepted: [200], refused: [401, 403] },
  });
  return {
    simulator,
    targets,
    bindings: [
      ...VERIFIERS.map((target) => ({
        target,
        role: "verifier",
        probe: probe(`${edges.get(target) ?? ""}/`),
      })),
      ...CALLERS.map((target) => ({ target, role: "caller" })),
    ],
    restartHost: (service) => execFileSync(restarts.get(service) ?? "", { stdio: "ignore" }),
  };
}

/** Starts the new process, waits until it listens, then lets the old one end. Answers the script's path. */
function setUpHost(host: FleetHost, variables: Readonly<Record<string, string>>): string {
  const file = join(host.directory, "env");
  const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(file, lines.join(""), { mode: 0o600 });
  const port = variables["PORT_FILE"] ?? "";
  const start = [process.execPath, `--env-file=${file}`, "--import", "tsx", SERVICE]
    .map(shellQuote)
    .join(" ");
  const restart = join(host.directory, "restart");
  writeFileSync(
    restart,
    `#!/bin/sh
cd ${shellQuote(process.cwd())} || exit 1
exec 9>${shellQuote(join(host.directory, "lock"))}
flock 9
before=$(cat ${shellQuote(port)} 2>/dev/null)
old=$(cat ${shellQuote(join(host.directory, "pid"))} 2>/dev/null)
env -i nohup ${start} </dev/null >/dev/null 2>&1 9>&- &
new=$!
while [ "$(cat ${shellQuote(port)} 2>/dev/null)" = "$before" ]; do
  kill -0 "$new" 2>/dev/null || exit 1
  sleep 0.05
done
echo "$new" >${shellQuote(join(host.directory, "pid"))}
if [ -n "$old" ]; then
  kill "$old" 2>/dev/null
  tries=0
  while kill -0 "$old" 2>/dev/null && [ "$tries" -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
fi
exit 0
`,
  );
  chmodSync(restart, 0o700);
  return restart;
}

function stop(host: FleetHost): void {
  try {
    process.kill(Number(readFileSync(join(host.directory, "pid"), "utf8")), "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}
