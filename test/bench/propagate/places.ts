/** Where the value goes: services at the simulator, files on hosts behind real sshd processes. */
import { readFileSync } from "node:fs";
import type { AppContext } from "../../../src/app/base/context.ts";
import type { Actor } from "../../../src/core/actor.ts";
import { type RailwaySimulator, startRailwaySimulator } from "../../../src/simulator/railway/server.ts";
import type { BenchOptions } from "../support/bench.ts";
import { type Fleet, pathOf, plant, startFleet } from "../support/ssh-fleet.ts";

export const FIRST_VALUE = "before-anything-was-measured";
export const KEY = "INTERNAL_AUTH_SECRET";

export interface Places {
  readonly kind: string;
  /** The first so many, as the configuration names them. */
  targets(count: number): Promise<Readonly<Record<string, unknown>>>;
  /** For places that must be there before anything settles: agents enrol. `url`: the agents' listener. */
  readonly afterApply?: (
    context: AppContext,
    actor: Actor,
    environment: string,
    url: string,
  ) => Promise<void>;
  /** Looks behind everybody's back. */
  assertArrived(count: number, value: string): Promise<void>;
  /** Requests that the places have answered so far; null where nobody counts. */
  requests(): Promise<number | null>;
}

type Starting = Pick<BenchOptions, "cleanUp" | "signal">;

/** As projects are: a look at a service lists what its whole environment holds. */
const SERVICES_PER_ENVIRONMENT = 25;

/** Without a limit and without waiting: what remains is ours, and the wire. */
export async function startRailwayPlaces(most: number, { cleanUp }: Starting): Promise<Places> {
  const simulator: RailwaySimulator = await startRailwaySimulator({
    rateLimit: { limit: 100_000_000 },
    durations: {
      initializingMs: 0,
      buildingMs: 0,
      deployingMs: 0,
      sleepAfterMs: 0,
      restartingMs: 0,
      secondMs: 0,
      applyingMs: 0,
    },
  });
  cleanUp(() => simulator.close());
  const { projectId: project, workspaceToken: token } = simulator.defaults;
  const places: { readonly service: string; readonly environment: string }[] = [];
  let environment = "";
  for (let index = 0; index < most; index += 1) {
    if (index % SERVICES_PER_ENVIRONMENT === 0) {
      environment = (await simulator.state.addEnvironment({ name: `environment-${index}` })).environmentId;
    }
    const added = await simulator.state.addService({ name: `service-${index}`, environmentId: environment });
    places.push({ service: added.serviceId, environment });
  }
  return {
    kind: "railway",
    targets: async (count) =>
      Object.fromEntries(
        places
          .slice(0, count)
          .map((place, index) => [
            `service-${index}`,
            { railway: { project, ...place, token, tokenKind: "account", endpoint: simulator.url } },
          ]),
      ),
    async assertArrived(count, value) {
      for (const { service, environment: environmentId } of places.slice(0, count)) {
        const stored = await simulator.state.storedVariables({ service, environmentId });
        if (stored[KEY] !== value) throw new Error("a service at the simulator does not hold the new value");
      }
    },
    requests: async () => simulator.simulation.log.requests().length,
  };
}

export async function startSshPlaces(most: number, options: Starting): Promise<Places> {
  const fleet: Fleet = await startFleet(most, options);
  // What stands there already is adopted.
  plant(fleet.hosts, FIRST_VALUE);
  return {
    kind: "ssh",
    async targets(count) {
      const hosts = fleet.hosts.slice(0, count);
      return Object.fromEntries(
        hosts.map((host) => [
          `host-${host.index}`,
          {
            ssh: {
              host: host.host,
              port: host.port,
              user: fleet.user,
              hostKey: host.sshd.hostKey,
              privateKey: host.sshd.clientKey.privateKey,
            },
            files: [{ path: pathOf(host), format: "dotenv" }],
            activate: { command: ["/bin/true"] },
            health: { command: ["/bin/true"] },
          },
        ]),
      );
    },
    async assertArrived(count, value) {
      const wrong = fleet.hosts
        .slice(0, count)
        .filter((host) => !readFileSync(pathOf(host), "utf8").includes(value));
      if (wrong.length > 0) throw new Error(`${wrong.length} hosts do not hold the new value`);
    },
    requests: async () => null,
  };
}
