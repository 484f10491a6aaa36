/**
 * The Railway simulator: a stand-in for Railway's public API on loopback, with the API's own types, tokens,
 * deployments, limits, and everything that is known to go wrong with it. The demo runs on it, and so do the tests.
 *
 * Promises: it speaks real HTTP; what the real schema refuses, it refuses; nothing happens that an API call, a
 * command or the clock did not cause; every request is on record, values apart.
 *
 * It leaves out: subscriptions, logs, domains, volumes, everything that does not concern variables and deployments.
 * What Railway's documentation leaves open is an option (`SimulatorBehaviour`).
 */
import { API_PATH, Endpoint } from "./api/endpoint.ts";
import { bindCommands, type Handle } from "./commands/command.ts";
import { COMMANDS } from "./commands/commands.ts";
import { listen } from "./listener.ts";
import type { Defaults, SimulatorOptions } from "./options.ts";
import { buildRailwaySchema } from "./schema/schema.ts";
import { Simulation } from "./simulation.ts";

export { ManualClock } from "./clock.ts";
export { INSTANT, type SimulatorOptions } from "./options.ts";
export type { ReplicaStart } from "./processes.ts";

export interface RailwaySimulator {
  /** Of the GraphQL endpoint. */
  readonly url: string;
  /** What exists from the start. */
  readonly defaults: Defaults;
  readonly state: Handle<(typeof COMMANDS)["state"]>;
  readonly faults: Handle<(typeof COMMANDS)["faults"]>;
  readonly log: Handle<(typeof COMMANDS)["log"]>;
  /** For whoever serves the commands elsewhere. */
  readonly simulation: Simulation;
  /** Cuts connections, forgets what is held, stops processes. */
  close(): Promise<void>;
}

export async function startRailwaySimulator(options: SimulatorOptions = {}): Promise<RailwaySimulator> {
  const simulation = new Simulation(options);
  const { clock, platform, patches, limiter, faults, log } = simulation;
  const schema = buildRailwaySchema();
  const endpoint = new Endpoint({ schema, clock, platform, patches, limiter, faults, log });
  const host = options.host ?? "127.0.0.1";
  const server = await listen(
    (request, response) => {
      // A client that hangs up in the middle is no failure of ours, and there is nobody to tell about one.
      endpoint.handle(request, response).catch((error: unknown) => {
        if (!response.destroyed && !response.headersSent)
          response.writeHead(500).end(`simulator: ${String(error)}\n`);
        else response.destroy();
      });
    },
    host,
    options.port ?? 0,
  );
  return {
    url: `http://${host}:${server.port}${API_PATH}`,
    defaults: simulation.defaults,
    state: bindCommands(simulation, COMMANDS.state),
    faults: bindCommands(simulation, COMMANDS.faults),
    log: bindCommands(simulation, COMMANDS.log),
    simulation,
    async close() {
      await server.close();
      await simulation.close();
    },
  };
}
