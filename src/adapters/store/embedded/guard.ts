/**
 * Postgres under a guard: a small shell that lives exactly as long as Postgres, and interrupts it when Node is gone.
 *
 * Node holds the write end of the shell's stdin. However Node ends (kill -9 too), the kernel closes that end, the
 * shell reads the end of the file and asks Postgres for a fast shutdown. The group of its own keeps a terminal's
 * Ctrl-C away from Postgres while Node still closes its work.
 */
import { spawn } from "node:child_process";
import { CHILD_ENVIRONMENT, type RunAs } from "./run.ts";

/**
 * fd 3 is the pipe, because a background command of sh reads /dev/null instead of stdin. Postgres must not hold it.
 * The interrupt is repeated, because a server that is only just starting does not listen to it yet.
 * A shutdown that does not end in 20 s becomes an immediate one; Postgres then recovers from its log at the next start.
 * The shell itself ignores signals: a service manager sends them to every process at once, while Node still works.
 */
const SCRIPT = `
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
trap '' INT TERM HUP
{
  read -r line <&3
  tries=0
  while [ "$tries" -lt 20 ] && kill -INT "$server" 2>/dev/null; do sleep 1; tries=$((tries + 1)); done
  kill -QUIT "$server" 2>/dev/null
} &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
`;

export interface GuardedServer {
  /** Resolves when Postgres and its guard have ended, for whatever reason. */
  readonly ended: Promise<void>;
  hasEnded(): boolean;
  /** Asks for a fast shutdown; wait for `ended`. */
  interrupt(): void;
}

/** `log` is a file descriptor: a pipe to Node would break with Node, and Postgres with the pipe. */
export function spawnGuarded(as: RunAs, argv: readonly string[], log: number): GuardedServer {
  const child = spawn("/bin/sh", ["-c", SCRIPT, "lockstep-postgres", ...as.prefix, ...argv], {
    cwd: "/",
    env: CHILD_ENVIRONMENT,
    stdio: ["pipe", log, log],
    detached: true,
    ...(as.uid === undefined ? {} : { uid: as.uid }),
    ...(as.gid === undefined ? {} : { gid: as.gid }),
  });
  let over = false;
  const ended = new Promise<void>((resolve) => {
    const finish = (): void => {
      over = true;
      resolve();
    };
    child.once("error", finish);
    child.once("exit", finish);
  });
  // The pipe breaks when the guard ends first; `ended` tells.
  child.stdin?.on("error", () => undefined);
  return { ended, hasEnded: () => over, interrupt: () => void child.stdin?.end() };
}
