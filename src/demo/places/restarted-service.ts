/**
 * A service on a machine, as somebody set it up by hand: a file of variables, a script that restarts the service with
 * them, and one that says whether it runs. It belongs to nobody's terminal and outlives the session that started it.
 */
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { shellQuote } from "../../lib/shell-quote.ts";
import { freePort } from "../../simulator/free-port.ts";
import { ownProgram, type Stage } from "../stage.ts";
import { type Opening, serviceVariables } from "./place.ts";

export interface RestartedService {
  readonly address: string;
  /** Absolute path of the script. */
  readonly restart: string;
  /** Absolute path of a script that ends well while the service listens. */
  readonly works: string;
  /** Starts the service. */
  open(opening: Opening): Promise<void>;
  stored(): Promise<string | null>;
}

export interface RestartedServiceOptions {
  readonly stage: Stage;
  readonly service: string;
  /** The machine's home directory: everything is in `~/SERVICE`. */
  readonly home: string;
  readonly signal: AbortSignal;
}

export async function createRestartedService(options: RestartedServiceOptions): Promise<RestartedService> {
  const { stage, service, home, signal } = options;
  const port = await freePort();
  const directory = join(home, service);
  mkdirSync(directory, { mode: 0o700 });
  const file = join(directory, "env");
  const restart = join(directory, "restart");
  const works = join(directory, "works");
  for (const [path, text] of [
    [restart, restartScript()],
    [works, WORKS_SCRIPT],
  ] as const) {
    writeFileSync(path, text, { mode: 0o700 });
    chmodSync(path, 0o700);
  }
  return {
    address: `http://127.0.0.1:${port}`,
    restart,
    works,
    async open({ addresses, reportTo, secret }) {
      const variables = {
        ...serviceVariables(service, { addresses, reportTo }),
        PORT: String(port),
        PORT_FILE: join(directory, "port"),
        INTERNAL_AUTH_SECRET: secret,
      };
      const lines = Object.entries(variables).map(([name, value]) => `${name}="${value}"\n`);
      writeFileSync(file, `# The ${service}'s settings.\n${lines.join("")}`, { mode: 0o600 });
      stage.watchPidFile(join(directory, "pid"));
      stage.atEnd(() => stopService(directory));
      const [exitCode] = await once(stage.launch(restart, []), "exit", { signal });
      if (exitCode !== 0) throw new Error(`${service} did not start on its machine`);
    },
    async stored() {
      return /^INTERNAL_AUTH_SECRET=['"]?([^'"\n]*)/m.exec(readFileSync(file, "utf8"))?.[1] ?? null;
    },
  };
}

const WORKS_SCRIPT = `#!/bin/sh
cd "$(dirname "$0")" && [ -f port ] && kill -0 "$(cat pid)"
`;

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
