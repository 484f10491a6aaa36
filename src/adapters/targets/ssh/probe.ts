/**
 * `target test` for a host: reaches it, logs in, looks for the tools that writing needs, at each file and its
 * directory, and at the right to restart. Changes nothing; prints the exact line that is missing.
 */
import { randomBytes } from "node:crypto";
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import { failedCheck } from "../../../core/failed-check.ts";
import type { Host, RunResult } from "../../../core/ports/host.ts";
import type { ProbeCheck, ProbeResult } from "../../../core/ports/target.ts";
import { durationText } from "../../../lib/age.ts";
import { shellQuote } from "../../../lib/shell-quote.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { obstacleTo, refusal } from "../../hosts/script/answer.ts";
import type { Activation } from "../../placements/activation/config.ts";
import { namedUnit, unitLabel } from "../../placements/activation/systemd-name.ts";
import { processOf, showsRunning } from "../../placements/running/environment.ts";
import type { SshConfig } from "./config.ts";
import { judgeLinger, judgeUserUnit } from "./probe-user-unit.ts";

const TIMEOUT_MS = 15_000;
const CLOCK_OFF_MS = 60_000;

/** Prints a word for each thing that is there. */
const FIND_TOOLS =
  "for tool in sha256sum shasum sha256 openssl mktemp flock; do command -v $tool >/dev/null 2>&1 && echo $tool; done; exit 0";
/**
 * $1: a file's path. Who may not write is told why by trying what must fail, and nothing is left where it does not. No
 * block that this user could have, says `df`: what root may still use counts for root alone.
 */
const MAY_WRITE = [
  'case $1 in "~/"*) set -- "$HOME/${1#??}";; esac; dir=${1%/*}; dir=${dir:-/}; [ -d "$dir" ] || exit 3',
  'why=$([ -w "$dir" ] || { LC_ALL=C mktemp "$dir/.lockstep-XXXXXXXXXX" && echo left; } 2>&1)',
  'attributes=$(lsattr -d "$dir" 2>/dev/null); case ${attributes%% *} in *[ai]*) exit 7;; esac',
  'case $why in *"Operation not permitted"*) exit 7;; esac',
  '[ ! -f "$1" ] || fixed=$({ : <>"$1"; } 2>&1) || case $fixed in *"Operation not permitted"*) exit 8;; esac',
  'case $why in "") ;; *"Read-only file system"*) exit 5;; *left) rm -f "${why%?left}"; exit 4;; *) exit 4;; esac',
  'free=$(df -Pk "$dir" 2>/dev/null | { read -r head; read -r disk blocks used free rest; echo "$free"; })',
  '[ "$free" != 0 ] || exit 6',
].join("; ");

/** $1: a file's path. Prints its ACL, where it has one and the host can show it. */
const SHOW_ACL =
  'case $1 in "~/"*) set -- "$HOME/${1#??}";; esac; command -v getfacl >/dev/null 2>&1 && getfacl -cp "$1" 2>/dev/null; exit 0';

/**
 * $1: a file's path. A container that has it mounted by itself shows in its own list of mounts alone; of those, this user
 * may read its own processes', and root all. Prints the number of such a process.
 */
const MOUNTED_ELSEWHERE = [
  'case $1 in "~/"*) set -- "$HOME/${1#??}";; esac; at=$(cd -P -- "${1%/*}/" && pwd -P) || exit 0; at=${at%/}/${1##*/}',
  "at=$(printf %s \"$at\" | sed 's/[\\]/\\\\134/g; s/ /\\\\040/g'); long=",
  "[ -r /proc/self/mountinfo ] || exit 0",
  'while read -r id up disk root point rest; do case $at in "${point%/}"/*) [ ${#point} -lt ${#long} ] || { long=$point; on=$disk; in=$root; };; esac; done </proc/self/mountinfo',
  '[ -n "$long" ] || exit 0; within=${in%/}/${at#"${long%/}"/}',
  'grep -lF " $on $within " /proc/[0-9]*/mountinfo 2>/dev/null | { IFS=/ read -r none proc number rest && echo "$number"; }',
  "exit 0",
].join("; ");

type Check = (name: string, work: () => Promise<string>) => Promise<boolean>;

export async function probe(host: Host, config: SshConfig, signal: AbortSignal): Promise<ProbeResult> {
  const checks: ProbeCheck[] = [];
  const check: Check = async (name, work) => {
    try {
      checks.push({ name, ok: true, message: await work() });
      return true;
    } catch (error) {
      checks.push(failedCheck(name, error));
      return false;
    }
  };
  const run = (argv: readonly string[]) => host.run(argv, { timeoutMs: TIMEOUT_MS }, signal);

  const reached = await check("login", async () => {
    const welcome = `logged in as ${config.ssh.user}, the host key is the pinned one`;
    const [first] = config.files;
    if (!config.ssh.sftpOnly) await run(["true"]);
    else if (first !== undefined) await host.read(first.path, signal).catch(passUnlessUnreached);
    return welcome;
  });
  if (reached && !config.ssh.sftpOnly)
    await check("tools", async () => judgeTools((await run(["sh", "-c", FIND_TOOLS])).stdout));
  if (reached && !config.ssh.sftpOnly) await check("clock", async () => lookAtClock(run));
  if (reached) {
    for (const { path, write: how } of config.files) {
      await check(`file ${path}`, async () => {
        const file = await host.read(path, signal);
        if (!config.ssh.sftpOnly)
          assertWritable(path, (await run(["sh", "-c", MAY_WRITE, "sh", path])).exitCode);
        if (file.state === "absent") return "does not exist yet; it will be made";
        const obstacle = obstacleTo(`write ${path}`, file.shared, how);
        if (obstacle !== null) throw obstacle;
        if (!config.ssh.sftpOnly && how !== "in-place")
          assertMountedNowhere(path, (await run(["sh", "-c", MOUNTED_ELSEWHERE, "sh", path])).stdout);
        if (config.ssh.sftpOnly)
          return (file.mode & 0o040) === 0
            ? "can be read and is safe"
            : "can be read and is safe; SFTP alone shows no ACL of it, and keeps none";
        const others = readersIn((await run(["sh", "-c", SHOW_ACL, "sh", path])).stdout);
        return others.length === 0
          ? "can be read and is safe"
          : `can be read and is safe; its ACL lets others read it too: ${others.join(", ")}`;
      });
    }
    const { activate } = config;
    if (activate?.systemd !== undefined) {
      const named = namedUnit(activate.systemd);
      await check(`restart ${unitLabel(named)}`, () =>
        named.isUser ? judgeUserUnit(host, named, signal) : judgeRestart(run, named.unit, config.ssh.user),
      );
      if (named.isUser) await check("linger", () => judgeLinger(host, named, signal));
    }
    if (activate !== null && showsRunning(activate, config.files))
      await check("running process", () => judgeObservation(host, activate, signal));
    const program = activate?.command?.[0];
    if (program !== undefined) {
      await check(`command ${program}`, async () => {
        if ((await run(["test", "-x", program])).exitCode === 0) return "can be executed";
        throw new LockstepError("TARGET_MISSING", `${program} is not there, or may not be executed.`, {
          hint: "Correct `activate: { command: … }`, or its rights on the host.",
        });
      });
    }
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}

/**
 * Said, and no fault of the place: writing decides nothing by its clock. What runs there may, where tokens and
 * certificates are judged.
 */
async function lookAtClock(run: (argv: readonly string[]) => Promise<RunResult>): Promise<string> {
  const askedAtMs = Date.now();
  const { stdout } = await run(["date", "+%s"]);
  const answeredAtMs = Date.now();
  return clockWords(stdout, askedAtMs, answeredAtMs);
}

/** `said`: seconds since 1970, by the host's `date`. */
export function clockWords(said: string, askedAtMs: number, answeredAtMs: number): string {
  if (!/^[0-9]{1,12}\n?$/.test(said)) return "the host does not say what time it is";
  const hostMs = Number(said) * 1_000;
  // It was told at some moment between, and without its parts of a second.
  const aheadMs = hostMs > answeredAtMs ? hostMs - answeredAtMs : Math.min(0, hostMs + 1_000 - askedAtMs);
  if (Math.abs(aheadMs) < CLOCK_OFF_MS) return "the same as here, within a minute";
  const way = aheadMs > 0 ? "ahead of" : "behind";
  return `WRONG by ${durationText(Math.abs(aheadMs))}: the host's clock is ${way} this server's; let one of them follow a time server (timedatectl set-ntp true)`;
}

/** The look at the files reports what is wrong with them; here only whether the host can be reached counts. */
function passUnlessUnreached(error: unknown): void {
  const { code } = toLockstepError(error);
  if (!["FILE_UNSAFE", "TARGET_REFUSED", "TARGET_PERMISSION"].includes(code)) throw error;
}

function judgeTools(stdout: string): string {
  const found = new Set(stdout.split("\n"));
  const lacks = (what: string, hint: string) =>
    new LockstepError("UNSUPPORTED", `The host lacks ${what}.`, { hint });
  if (!["sha256sum", "shasum", "sha256", "openssl"].some((tool) => found.has(tool))) {
    throw lacks("sha256sum, shasum, sha256 and openssl", "Install one of them (coreutils, perl or openssl).");
  }
  if (!found.has("mktemp")) throw lacks("mktemp", "Install coreutils.");
  return found.has("flock")
    ? "everything that fenced writing needs is there"
    : "flock is missing; a lock directory is used instead";
}

function assertWritable(path: string, exitCode: number | null): void {
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  if (exitCode === 0) return;
  if (exitCode === 5)
    throw new LockstepError("TARGET_READ_ONLY", `The file system of ${directory} can only be read.`);
  if (exitCode === 6) throw new LockstepError("TARGET_FULL", `The disk of ${directory} is full.`);
  if (exitCode === 7 || exitCode === 8)
    throw refusal(`write ${path}`, { word: "fixed", rest: exitCode === 8 ? path : directory });
  const missing = exitCode === 3;
  throw new LockstepError(
    missing ? "TARGET_MISSING" : "TARGET_PERMISSION",
    missing
      ? `The directory ${directory} does not exist.`
      : `The SSH user may not make files in ${directory}, which an atomic replacement needs.`,
    {
      hint: missing
        ? `Make it: mkdir -p -m 0700 ${quotePath(directory)}`
        : "Give the directory to the SSH user; keep it closed to others.",
    },
  );
}

function assertMountedNowhere(path: string, stdout: string): void {
  const [, processId] = /^([0-9]+)\n$/.exec(stdout) ?? [];
  if (processId === undefined) return;
  throw new LockstepError(
    "FILE_SHARED",
    `The process ${processId}, in a container most often, has ${path} mounted by itself, and would keep the old file after each change.`,
    {
      hint: "Mount the directory in which it stands there instead, restart what has it mounted with each change, or say `write: in-place` for it.",
    },
  );
}

/** `user daemon`: entries of an ACL that name somebody and let him read, whatever the mode says. */
function readersIn(acl: string): readonly string[] {
  return acl.split("\n").flatMap((line) => {
    const [, kind, name, rights, effective] =
      /^(user|group):([^:]+):([r-][w-][x-])(?:\s+#effective:([r-][w-][x-]))?$/.exec(line) ?? [];
    return (effective ?? rights)?.startsWith("r") === true ? [`${kind} ${visibleLine(String(name))}`] : [];
  });
}

/** Not seeing the process holds up rotations that wait for it, so its remedy belongs here. */
async function judgeObservation(host: Host, activate: Activation, signal: AbortSignal): Promise<string> {
  const found = processOf(activate);
  if (!found.named) return found.reason;
  const nonce = randomBytes(32).toString("hex");
  const seen = await host.lookIntoProcess({ process: found.process, keys: [], nonce }, signal);
  if (seen.state === "seen") return "what it was started with can be compared";
  if (seen.state === "none") return "no process runs now; it can be looked at when one does";
  if (seen.state === "changing") return `it cannot be looked at just now: ${seen.reason}`;
  throw new LockstepError(
    "TARGET_PERMISSION",
    `What the process was started with cannot be seen: ${seen.reason}.`,
    {
      hint: "Until then no rotation gets further than a step that needs this evidence.",
    },
  );
}

/** A quoted `~` would not be expanded. */
function quotePath(path: string): string {
  return path.startsWith("~/") ? `~/${shellQuote(path.slice(2))}` : shellQuote(path);
}

/** Asks sudo whether it would, without doing it. The line names one unit, without wildcards. */
async function judgeRestart(
  run: (argv: readonly string[]) => Promise<{ readonly exitCode: number | null; readonly stdout: string }>,
  unit: string,
  user: string,
): Promise<string> {
  if ((await run(["id", "-u"])).stdout.trim() === "0") {
    return "the SSH user is root; a user of its own with one sudo line is safer";
  }
  if ((await run(["sudo", "-n", "-l", "systemctl", "restart", "--", unit])).exitCode === 0) {
    return "sudo allows it";
  }
  const found = (await run(["sh", "-c", "command -v systemctl"])).stdout.trim();
  const systemctl = /^\/[A-Za-z0-9/_-]+\/systemctl$/.test(found) ? found : "/usr/bin/systemctl";
  throw new LockstepError("TARGET_PERMISSION", `sudo does not let ${user} restart ${unit}.`, {
    hint: `Add this line with \`visudo -f /etc/sudoers.d/lockstep\`: ${user} ALL=(root) NOPASSWD: ${systemctl} restart -- ${unit}`,
  });
}
