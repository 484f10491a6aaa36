/**
 * A stand-in for systemctl on the host's PATH: a real program with its state on disk, speaking systemctl's own output
 * format, misbehaving on command. No container runs a systemd of its own.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface FakeUnit {
  readonly LoadState: string;
  readonly ActiveState: string;
  readonly SubState: string;
  readonly Result: string;
  readonly InvocationID: string;
}

export interface FakeSystemctl {
  /** To be put first on the session's PATH. */
  readonly directory: string;
  set(unit: FakeUnit): void;
  /** What the next restarts do: a line of sh that may rewrite `$state`, and the exit code. */
  onRestart(script: string): void;
  /** Every call, one line of arguments each. */
  calls(): readonly string[];
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

const PROGRAM = (directory: string): string => `#!/bin/sh
state=${directory}/state
printf '%s\\n' "$*" >> ${directory}/calls
case "$1" in
  show) cat "$state" ;;
  restart) . ${directory}/restart ;;
  *) exit 2 ;;
esac
`;

export function makeFakeSystemctl(home: string): FakeSystemctl {
  const directory = join(home, "fake-bin");
  mkdirSync(directory, { mode: 0o755 });
  const write = (name: string, text: string, mode = 0o644): void => {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), mode);
  };
  write("systemctl", PROGRAM(directory), 0o755);
  // Where the tests do not run as root: sudo that always agrees.
  write("sudo", '#!/bin/sh\n[ "$1" = "-n" ] && shift\nexec "$@"\n', 0o755);
  write("calls", "");
  return {
    directory,
    set: (unit) =>
      write(
        "state",
        Object.entries(unit)
          .map(([name, value]) => `${name}=${value}\n`)
          .join(""),
      ),
    onRestart: (script) => write("restart", `${script}\n`),
    calls: () => readFileSync(join(directory, "calls"), "utf8").trim().split("\n"),
  };
}
