/**
 * A machine that nobody can dial, with a service on it and an agent beside it: a home, a state directory and a policy
 * of its own. The agent is the product's own, started as its user would.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stage } from "../stage.ts";
import type { OpenPlace } from "./place.ts";
import { createRestartedService } from "./restarted-service.ts";

export interface MiniPlace extends OpenPlace {
  /** With these, commands of the agent are this machine's. */
  readonly surroundings: Readonly<Record<string, string>>;
  /** What the machine's owner allows, as it stands in the policy's file. */
  readonly policy: string;
}

export async function createMiniPlace(
  stage: Stage,
  service: string,
  signal: AbortSignal,
): Promise<MiniPlace> {
  const home = stage.room("mini");
  const running = await createRestartedService({ stage, service, home, signal });
  const command = `restart-${service}`;
  const check = `${service}-works`;
  const programs = Object.entries({ [command]: running.restart, [check]: running.works })
    .map(([name, path]) => `${name}: [${JSON.stringify(path)}]`)
    .join(", ");
  const policy = `files: ["~/${service}/env"]\ncommands: { ${programs} }\n`;
  // Where the agent's user keeps it; the service's own directory is no place for it.
  const directory = join(home, ".config", "lockstep");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const policyFile = join(directory, "agent-policy.yaml");
  writeFileSync(policyFile, policy, { mode: 0o600 });
  return {
    service,
    address: running.address,
    surroundings: {
      HOME: home,
      LOCKSTEP_AGENT_STATE: join(home, ".local", "state", "lockstep-agent"),
      LOCKSTEP_AGENT_POLICY: policyFile,
    },
    policy,
    variables: {},
    target: [
      `${service}:`,
      "  agent: {}",
      `  files: [{ path: "~/${service}/env", format: dotenv }]`,
      `  activate: { command: ${command} }`,
      `  health: { command: ${check} }`,
    ],
    open: running.open,
    stored: running.stored,
  };
}
