/**
 * A stand-in for systemctl on the host's PATH: a real program with its state on disk, speaking systemctl's own output
 * format, misbehaving on command. No container runs a systemd of its own. With `--user` it is another manager, which has
 * units of its own and is reached only by whoever has the variables of a login.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FakeUnit {
  readonly LoadState: string;
  readonly ActiveState: string;
  readonly SubState: string;
  readonly Result: string;
  readonly InvocationID: string;
  /** Left out: systemd's word for "none", 0. */
  readonly MainPID?: string;
}

type Whose = "system" | "user";

export interface FakeSystemctl {
  /** To be put first on the session's PATH. */
  readonly directory: string;
  set(unit: FakeUnit, whose?: Whose): void;
  /** What the unit consists of. */
  setFiles(fragment: string, dropIns?: readonly string[], whose?: Whose): void;
  /** The user's manager answers no more: systemctl ends with these words. Null: it does. */
  stopUserManager(words: string | null): void;
  /** loginctl's answer. Null: it knows no such user, who then is not logged in. */
  setLinger(answer: "yes" | "no" | null): void;
  /** What the last call with `--user` was given: XDG_RUNTIME_DIR, then DBUS_SESSION_BUS_ADDRESS. */
  userVariables(): string;
  /** What the next restarts do: a line of sh that may rewrite `$state`, and the exit code. */
  onRestart(script: string): void;
  /** Every call, one line of arguments each. */
  calls(): readonly string[];
  /** Ends what `startsProcess` left running. */
  endProcess(): void;
}

export const RUNNING: FakeUnit = {
  LoadState: "loaded",
  ActiveState: "active",
  SubState: "running",
  Result: "success",
  InvocationID: "0000000000000000000000000000000a",
};

/** A fresh invocation of a unit that runs. */
export const RESTARTS = `sed -i 's/^InvocationID=.*/InvocationID=0000000000000000000000000000000b/; s/^ActiveState=.*/ActiveState=active/; s/^SubState=.*/SubState=running/' "$state"; exit 0`;

/**
 * A fresh invocation whose main process really runs, started as systemd does it: with what the environment file holds
 * and nothing else. The plain subset of the format is understood that a test needs: KEY="value" on one line.
 * Processes that are replaced are ended; `$directory/pid` names the last one.
 */
export function startsProcess(environmentFile: string): string {
  return [
    `[ ! -s "$directory/pid" ] || kill -9 "$(cat "$directory/pid")" 2>/dev/null`,
    `[ ! -e ${environmentFile}.fail ] || exit 1`,
    `(set -a; . ${environmentFile}; set +a; for name in $(env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p'); do case $name in KEY*) ;; *) unset "$name";; esac; done; exec /bin/sleep 600) </dev/null >/dev/null 2>&1 &`,
    'pid=$!; printf %s "$pid" >"$directory/pid"',
    "tries=0",
    `while [ "$(readlink /proc/$pid/exe)" = "$(readlink /proc/$$/exe)" ]; do tries=$((tries + 1)); [ $tries -lt 5000 ] || exit 1; done`,
    `printf '%s\\n' LoadState=loaded ActiveState=active SubState=running Result=success "InvocationID=$(printf %032d "$pid")" "MainPID=$pid" >"$state.new"`,
    'mv "$state.new" "$state"',
    "exit 0",
  ].join("\n");
}

const PROGRAM = (directory: string): string => `#!/bin/sh
directory=${directory}
state=${directory}/state
files=${directory}/files
printf '%s\\n' "$*" >> ${directory}/calls
if [ "$1" = --user ]; then
  printf '%s %s\\n' "\${XDG_RUNTIME_DIR:--}" "\${DBUS_SESSION_BUS_ADDRESS:--}" > ${directory}/user-variables
  if [ -z "$XDG_RUNTIME_DIR" ] || [ -z "$DBUS_SESSION_BUS_ADDRESS" ]; then
    echo 'Failed to connect to bus: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined' >&2; exit 1
  fi
  [ ! -s ${directory}/no-manager ] || { cat ${directory}/no-manager >&2; exit 1; }
  shift; state=${directory}/user-state; files=${directory}/user-files
fi
case "$1" in
  show) case "$2" in --property=FragmentPath*) cat "$files" ;; *) cat "$state" ;; esac ;;
  restart) . ${directory}/restart ;;
  daemon-reload) exit 0 ;;
  *) exit 2 ;;
esac
`;

export function makeFakeSystemctl(home: string): FakeSystemctl {
  const directory = join(home, "fake-bin");
  mkdirSync(directory, { mode: 0o755 });
  /** In one step: whoever reads meanwhile sees the old text or the new one. */
  const write = (name: string, text: string, mode = 0o644): void => {
    const path = join(directory, name);
    writeFileSync(`${path}.new`, text);
    chmodSync(`${path}.new`, mode);
    renameSync(`${path}.new`, path);
  };
  write("systemctl", PROGRAM(directory), 0o755);
  // Where the tests do not run as root: sudo that always agrees, also when it is only asked whether it would.
  write(
    "sudo",
    '#!/bin/sh\n[ "$1" = "-n" ] && shift\n[ "$1" = "-l" ] && exec which "$2"\nexec "$@"\n',
    0o755,
  );
  write("calls", "");
  write("files", "");
  write("user-files", "");
  write("no-manager", "");
  return {
    directory,
    set: (unit, whose = "system") =>
      write(
        whose === "user" ? "user-state" : "state",
        Object.entries(unit)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(""),
      ),
    setFiles: (fragment, dropIns = [], whose = "system") =>
      write(
        whose === "user" ? "user-files" : "files",
        `FragmentPath=${fragment}\nDropInPaths=${dropIns.join(" ")}\n`,
      ),
    stopUserManager: (words) => write("no-manager", words === null ? "" : `${words}\n`),
    setLinger: (answer) =>
      write("loginctl", `#!/bin/sh\n${answer === null ? "exit 1" : `echo Linger=${answer}`}\n`, 0o755),
    userVariables: () => readFileSync(join(directory, "user-variables"), "utf8").trim(),
    onRestart: (script) => write("restart", `${script}\n`),
    endProcess() {
      const path = join(directory, "pid");
      const pid = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
      if (pid > 1) process.kill(pid, "SIGKILL");
      rmSync(path, { force: true });
    },
    calls: () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n"),
  };
}
