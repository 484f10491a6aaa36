/** Asks the constant script of `process-script.ts` about a process, and words what it could not see. */
import { randomBytes } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";
import type { ProcessLook, ProcessName, ProcessSeen } from "../../../core/ports/host.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { type Answer, parseAnswer } from "./answer.ts";
import { assertPlainPath } from "./assert-plain-path.ts";
import { BOOTSTRAP } from "./bootstrap.ts";
import { PROCESS_ARGUMENTS, PROCESS_SCRIPT } from "./process-script.ts";
import type { ScriptTransport } from "./transport.ts";
import { lingerRemedy } from "./user-manager.ts";

/** What start files may print, and 65 bytes for each key. */
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_KEYS = 1_000;

export async function lookIntoProcess(
  transport: ScriptTransport,
  look: ProcessLook,
  signal: AbortSignal,
): Promise<ProcessSeen> {
  const action = `look into ${nameOf(look.process)} on ${transport.label}`;
  assertAskable(action, look);
  const first = readSeen(action, look, await ask(transport, action, look, signal));
  // A restart between two lines of the script is over at the next try; one that lasts is told.
  if (first.state !== "changing") return first;
  return readSeen(action, look, await ask(transport, action, look, signal));
}

async function ask(
  transport: ScriptTransport,
  action: string,
  { process, keys, nonce: salt }: ProcessLook,
  signal: AbortSignal,
): Promise<Answer> {
  const nonce = randomBytes(16).toString("hex");
  const given: Record<(typeof PROCESS_ARGUMENTS)[number], string> = {
    nonce,
    salt,
    kind: process.kind,
    name: process.kind === "pid-file" ? process.path : process.unit,
    count: String(keys.length),
  };
  const lines = [
    PROCESS_SCRIPT,
    ...PROCESS_ARGUMENTS.map((name) => given[name]),
    ...keys.map((key) => Buffer.from(key).toString("hex")),
  ];
  const result = await transport.exec(BOOTSTRAP, {
    input: Buffer.from(`${lines.join("\n")}\n`),
    maxOutputBytes: MAX_ANSWER_BYTES,
    signal,
    killOnAbort: false,
  });
  const answer = parseAnswer(result.stdout, nonce);
  if (answer !== null) return answer;
  if (result.end === "exited")
    throw new LockstepError("TARGET_PROTOCOL", `Cannot ${action}: the host's shell gave no answer.`, {
      details: { exitCode: result.exitCode },
    });
  throw new LockstepError(
    "TARGET_UNREACHABLE",
    `Cannot ${action}: the line was lost before the answer came.`,
  );
}

function readSeen(action: string, { process, keys }: ProcessLook, answer: Answer): ProcessSeen {
  const words = answer.rest === "" ? [] : answer.rest.split(" ");
  const [first = "", second = "", third = ""] = words;
  switch (answer.word) {
    case "seen":
      return seen(action, keys, words);
    case "none":
      return { state: "none" };
    case "changing":
      return {
        state: "changing",
        reason: CHANGES[first] ?? `the unit is ${visibleLine(first.slice(0, 40))}`,
      };
    case "cannot":
      return { state: "cannot-tell", reason: whyNot(process, first, second, third) };
    case "missing":
      throw new LockstepError("TARGET_MISSING", `Cannot ${action}: the host has no such unit.`);
    case "failed":
      throw new LockstepError("UNSUPPORTED", `Cannot ${action}: systemctl gave no answer.`, {
        hint: "Check that the host runs systemd.",
      });
    default:
      throw new LockstepError("TARGET_PROTOCOL", `Cannot ${action}: the answer was not understood.`);
  }
}

function seen(action: string, keys: readonly string[], words: readonly string[]): ProcessSeen {
  const [bootId = "", pid = "", startedAt = "", ...digests] = words;
  const isWhole =
    /^[0-9a-f-]{8,64}$/.test(bootId) &&
    /^[1-9][0-9]{0,9}$/.test(pid) &&
    /^[0-9]{1,20}$/.test(startedAt) &&
    digests.length === keys.length &&
    digests.every((digest) => digest === "-" || /^[0-9a-f]{64}$/.test(digest));
  if (!isWhole)
    throw new LockstepError("TARGET_PROTOCOL", `Cannot ${action}: the answer was not understood.`);
  return {
    state: "seen",
    life: { bootId, pid: Number(pid), startedAt: Number(startedAt) },
    digests: new Map(
      keys.map((key, at) => [key, digests[at] ?? "-"] as const).filter(([, digest]) => digest !== "-"),
    ),
  };
}

const CHANGES: Readonly<Record<string, string>> = {
  gone: "the process has just ended",
  replaced: "the process was replaced while it was looked at",
};

const LACKING: Readonly<Record<string, string>> = {
  sha256: "sha256sum, shasum, openssl and python3; install one of them",
  od: "od; install coreutils",
  awk: "awk; install one",
};

function whyNot(process: ProcessName, why: string, more: string, us: string): string {
  const name = nameOf(process);
  switch (why) {
    case "right":
      // No sudo line: whatever could read that file as root could read every other one too.
      return /^[0-9]+$/.test(more) && more !== us
        ? `${name} belongs to the user with id ${more}; log in as that user, or run the service as the user that logs in`
        : `${name} does not let its environment be read; run the service as the user that logs in, without capabilities of its own`;
    case "hidden":
      return "the host hides other users' processes (hidepid); log in as the service's user";
    case "manager":
      return `the systemd manager of the user does not run. ${lingerRemedy(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(more) ? more : "USER").replace(/\.$/, "")}`;
    case "system":
      return "this system shows nobody what a process was started with";
    case "lacks":
      return `the host lacks ${LACKING[more] ?? "a tool that is needed"}`;
    case "open":
      return `${name} or its directory may be changed by others, or is a symbolic link; let both belong to root or the user that logs in, closed to others`;
    case "file":
      return `${name} does not hold the number of a process`;
    default:
      return "the host did not say why";
  }
}

function nameOf(process: ProcessName): string {
  if (process.kind === "pid-file") return process.path;
  return process.kind === "systemd" ? process.unit : `${process.unit} (user)`;
}

function assertAskable(action: string, { process, keys, nonce }: ProcessLook): void {
  const refuse = (why: string): never => {
    throw new LockstepError("INPUT_INVALID", `Cannot ${action}: ${why}.`);
  };
  if (process.kind === "pid-file") assertPlainPath(action, process.path);
  else if (!/^[A-Za-z0-9][A-Za-z0-9:_.@-]{0,254}$/.test(process.unit)) refuse("it is not a unit's name");
  if (!/^[0-9a-f]{64}$/.test(nonce)) refuse("the nonce must be 64 hex digits");
  if (keys.length > MAX_KEYS) refuse("that is too many keys at once");
  if (!keys.every((key) => /^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(key))) refuse("a key is no variable's name");
}
