/** A host over SSH with a service on it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunningSshHost, startSshHost } from "../../simulator/ssh/host.ts";
import type { Stage } from "../stage.ts";
import type { OpenPlace } from "./place.ts";
import { createRestartedService } from "./restarted-service.ts";

export interface HostPlace extends OpenPlace {
  readonly ssh: RunningSshHost;
}

export interface HostOptions {
  readonly stage: Stage;
  readonly service: string;
  /** Of lockstep.yaml; the login key is put there. */
  readonly projectDirectory: string;
  readonly server?: "auto" | "stand-in" | undefined;
  readonly signal: AbortSignal;
}

export async function createHostPlace(options: HostOptions): Promise<HostPlace> {
  const { stage, service, projectDirectory, signal } = options;
  const ssh = await startSshHost({
    directory: stage.room("host"),
    environment: stage.environment,
    server: options.server,
    launch: (program, parameters) => stage.launch(program, parameters),
    signal,
  });
  stage.atEnd(() => ssh.stop());
  const keyFile = `${service}-key.pem`;
  writeFileSync(join(projectDirectory, keyFile), ssh.privateKey, { mode: 0o600 });
  const running = await createRestartedService({ stage, service, home: ssh.home, signal });
  return {
    service,
    address: running.address,
    ssh,
    variables: {},
    target: [
      `${service}:`,
      "  ssh:",
      `    host: ${ssh.address}`,
      `    port: ${ssh.port}`,
      `    user: ${ssh.user}`,
      `    hostKey: "${ssh.hostKey}"`,
      `    privateKey: "\${file:${keyFile}}"`,
      `  files: [{ path: "~/${service}/env", format: dotenv }]`,
      `  activate: { command: [${JSON.stringify(running.restart)}], process: { pidFile: "~/${service}/pid" } }`,
    ],
    open: running.open,
    stored: running.stored,
  };
}
