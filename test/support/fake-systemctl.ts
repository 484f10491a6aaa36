/**
 * A stand-in for systemctl on the host's PATH: a real program with its state on disk, speaking systemctl's own output
 * format, misbehaving on command. No container runs a systemd of its own.
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

export interface FakeSystemctl {
  /** To be put first on the session's PATH. */
  readonly directory: string;
  set(unit: FakeUnit): void;
  /** What the unit consists of. */
  setFiles(fragment: string, dropIns?: readonly string[]): void;
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
printf '%s\\n' "$*" >> ${directory}/calls
case "$1" in
  show) case "$2" in --property=FragmentPath*) cat ${directory}/files ;; *) cat "$state" ;; esac ;;
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
  return {
    directory,
    set: (unit) =>
      write(
        "state",
        Object.entries(unit)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(""),
      ),
    setFiles: (fragment, dropIns = []) =>
      write("files", `FragmentPath=${fragment}\nDropInPaths=${dropIns.join(" ")}\n`),
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
