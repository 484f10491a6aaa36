/**
 * A machine of the bench on which a service runs from a file of its own, restarted by a script: as on a host behind sshd
 * and beside an agent. The new process starts, and when it listens, the old one ends.
 */
import { execFile } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { shellQuote } from "../../../src/lib/shell-quote.ts";

const run = promisify(execFile);

export interface Machine {
  /** The environment file's path. */
  readonly file: string;
  /** The restarting script's path. */
  readonly script: string;
  restart(): Promise<void>;
  /** Of the process that serves now. */
  pid(): number;
  stop(): void;
}

/** Nothing runs before the first `restart`. `variables` holds `PORT_FILE`. */
export function setUpMachine(
  directory: string,
  program: string,
  variables: Readonly<Record<string, string>>,
): Machine {
  const file = join(directory, "env");
  const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
  writeFileSync(file, lines.join(""), { mode: 0o600 });
  const script = join(directory, "restart");
  const pidFile = join(directory, "pid");
  writeFileSync(
    script,
    scriptOf({ file, program, pidFile, lock: join(directory, "lock"), port: variables["PORT_FILE"] ?? "" }),
  );
  chmodSync(script, 0o700);
  const pid = (): number => Number(readFileSync(pidFile, "utf8"));
  return {
    file,
    script,
    pid,
    restart: async () => void (await run(script)),
    stop() {
      try {
        process.kill(pid(), "SIGTERM");
      } catch {
        // It has ended by itself, or never began.
      }
    },
  };
}

interface ScriptPaths {
  readonly file: string;
  readonly program: string;
  readonly pidFile: string;
  readonly lock: string;
  readonly port: string;
}

function scriptOf({ file, program, pidFile, lock, port }: ScriptPaths): string {
  const words = [process.execPath, `--env-file=${file}`, "--import", "tsx", program];
  return `#!/bin/sh
cd ${shellQuote(process.cwd())} || exit 1
exec 9>${shellQuote(lock)}
flock 9
before=$(cat ${shellQuote(port)} 2>/dev/null)
old=$(cat ${shellQuote(pidFile)} 2>/dev/null)
env -i nohup ${words.map(shellQuote).join(" ")} </dev/null >/dev/null 2>&1 9>&- &
new=$!
while [ "$(cat ${shellQuote(port)} 2>/dev/null)" = "$before" ]; do
  kill -0 "$new" 2>/dev/null || exit 1
  sleep 0.05
done
echo "$new" >${shellQuote(pidFile)}
if [ -n "$old" ]; then
  kill "$old" 2>/dev/null
  tries=0
  while kill -0 "$old" 2>/dev/null && [ "$tries" -lt 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
fi
exit 0
`;
}
