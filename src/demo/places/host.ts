/**
 * A host over SSH with a service on it, as somebody set it up by hand: a file of variables, and a script that
 * restarts the service with them. The service belongs to nobody's terminal and outlives the session that started it.
 */
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { shellQuote } from "../../lib/shell-quote.ts";
import { freePort } from "../../simulator/free-port.ts";
import { type RunningSshHost, startSshHost } from "../../simulator/ssh/host.ts";
import { ownProgram, type Stage } from "../stage.ts";
import { type Addresses, type Place, serviceVariables } from "./place.ts";

export interface HostPlace extends Place {
  readonly address: string;
  readonly ssh: RunningSshHost;
  /** Where the login key lies, relative to lockstep.yaml. */
  readonly keyFile: string;
  /** Starts the service with this value. */
  open(options: {
    readonly addresses: Addresses;
    readonly reportTo: string;
    readonly secret: string;
  }): Promise<void>;
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
  const port = await freePort();
  const ssh = await startSshHost({
    directory: stage.room("host"),
    environment: stage.environment,
    server: options.server,
    launch: (program, parameters) => stage.launch(program, parameters),
    signal,
  });
  stage.atEnd(() => ssh.stop());
  const keyFile = "worker-key.pem";
  writeFileSync(join(projectDirectory, keyFile), ssh.privateKey, { mode: 0o600 });
  const directory = join(ssh.home, service);
  mkdirSync(directory, { mode: 0o700 });
  const file = join(directory, "env");
  const restart = join(directory, "restart");
  writeFileSync(restart, restartScript(), { mode: 0o700 });
  chmodSync(restart, 0o700);
  return {
    service,
    address: `http://127.0.0.1:${port}`,
    ssh,
    keyFile,
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
      `  activate: { command: [${JSON.stringify(restart)}] }`,
    ],
    async open({ addresses, reportTo, secret }) {
      const variables = {
        ...serviceVariables(service, { addresses, reportTo }),
        PORT: String(port),
        PORT_FILE: join(directory, "port"),
        INTERNAL_AUTH_SECRET: secret,
      };
      const lines = Object.entries(variables).map(([name, value]) => `${name}="${value}"\n`);
      writeFileSync(file, `# The worker's settings.\n${lines.join("")}`, { mode: 0o600 });
      stage.watchPidFile(join(directory, "pid"));
      stage.atEnd(() => stopService(directory));
      const [exitCode] = await once(stage.launch(restart, []), "exit", { signal });
      if (exitCode !== 0) throw new Error(`${service} did not start on its host`);
    },
    async stored() {
      return /^INTERNAL_AUTH_SECRET=['"]?([^'"\n]*)/m.exec(readFileSync(file, "utf8"))?.[1] ?? null;
    },
  };
}

/** The service removes its port file when it ends: where nobody reaps processes, its pid would still seem alive. */
function restartScript(): string {
  const start = [process.execPath, "--env-file=env", ownProgram("demo/services/service")].map(shellQuote);
  return `#!/bin/sh
# Ends the service that runs, and starts it anew with the variables of ./env.
cd "$(dirname "$0")" || exit 1
if [ -f pid ]; then
  old=$(cat pid)
  kill "$old" 2>/dev/null
  tries=0
  while [ -f port ] && kill -0 "$old" 2>/dev/null && [ "$tries" -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
fi
rm -f port
nohup ${start.join(" ")} </dev/null >/dev/null 2>log &
echo "$!" >pid
until [ -f port ]; do
  kill -0 "$!" 2>/dev/null || exit 1
  sleep 0.05
done
`;
}

/** Asks it to end and waits until it has; the guard sees to one that does not listen. */
async function stopService(directory: string): Promise<void> {
  process.kill(Number(readFileSync(join(directory, "pid"), "utf8").trim()), "SIGTERM");
  for (let tries = 0; tries < 60 && existsSync(join(directory, "port")); tries += 1) await delay(50);
}
