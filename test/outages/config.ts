/** lockstep.yaml of the world: one secret, which four places hold. */
import type { RailwayKit } from "../targets/railway/kit.ts";
import type { WorldHost } from "./host.ts";
import type { WorldMachine } from "./machine.ts";

export const SECRET = "INTERNAL_AUTH_SECRET";
/** The stand-in for systemd starts processes with names of this form alone. */
export const VPS_KEY = "KEY_AUTH";

export interface WorldConfig {
  readonly environments: {
    readonly production: {
      readonly secrets: Record<string, { bindings: Record<string, unknown>[]; [key: string]: unknown }>;
      readonly targets: Record<string, Record<string, unknown>>;
    };
  };
}

export interface Places {
  readonly railway: RailwayKit;
  /** The id of the service that calls. */
  readonly worker: string;
  readonly host: WorldHost;
  readonly machine: WorldMachine;
  /** By target: in place of the platform's first token. */
  readonly tokens: ReadonlyMap<string, string>;
}

export function worldConfig({ railway, worker, host, machine, tokens }: Places): WorldConfig {
  const { projectId, environmentId, projectToken } = railway.railway.defaults;
  const service = (name: string, id: string) => ({
    railway: {
      project: projectId,
      environment: environmentId,
      service: id,
      token: tokens.get(name) ?? projectToken,
      endpoint: railway.railway.url,
      requestTimeoutMs: 2_000,
    },
  });
  return {
    environments: {
      production: {
        secrets: {
          [SECRET]: {
            bindings: [
              { target: "api", role: "verifier" },
              { target: "worker", role: "caller" },
              { target: "vps", role: "caller", key: VPS_KEY },
              { target: "mini", role: "caller" },
            ],
          },
        },
        targets: {
          api: service("api", railway.serviceId),
          worker: service("worker", worker),
          vps: host.target(),
          mini: {
            agent: {},
            files: [{ path: machine.file, format: "dotenv" }],
            activate: { command: "restart", timeoutSeconds: 10 },
            health: { command: "restart" },
          },
        },
      },
    },
  };
}
