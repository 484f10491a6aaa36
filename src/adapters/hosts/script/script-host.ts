/**
 * `Host` with a shell: fenced. Each method is one call of the constant script, or of the helper that does the same
 * faster, through a transport that starts it: an SSH line, or this machine itself. All keep the same lock, markers and
 * copies, so an agent and an SSH target on one machine never overtake each other. (Node has no flock of its own.)
 *
 * A write whose input was sent and whose answer did not come is TARGET_OUTCOME_UNKNOWN. Formats, keys and units are
 * left to the placements above.
 */
import { createHash, randomBytes } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";
import { formatOrder, type Order, parseOrder } from "../../../core/order.ts";
import type {
  Host,
  HostFile,
  HostWrite,
  ProcessLook,
  ProcessSeen,
  RunOptions,
  RunResult,
} from "../../../core/ports/host.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import { type Answer, contentOf, modeOfPermissions, parseAnswer, refusal } from "./answer.ts";
import { assertPlainPath } from "./assert-plain-path.ts";
import { BOOTSTRAP, BOOTSTRAP_MISSED, KILL_SCRIPT, RUN_SCRIPT } from "./bootstrap.ts";
import { HELPER_VERBS } from "./helper-script.ts";
import { lookIntoProcess } from "./process-look.ts";
import { ARGUMENTS, MAX_FILE_BYTES, SCRIPT } from "./script.ts";
import type { ScriptTransport } from "./transport.ts";

const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
const KILL_TIMEOUT_MS = 3_000;
/** A file and what start files may print around it. */
const MAX_ANSWER_BYTES = MAX_FILE_BYTES + 256 * 1024;

type Arguments = Partial<Record<Exclude<(typeof ARGUMENTS)[number], "nonce" | "verb" | "path">, string>>;

export class ScriptHost implements Host {
  readonly fenced = true;
  readonly #transport: ScriptTransport;
  readonly #label: string;

  constructor(transport: ScriptTransport) {
    this.#transport = transport;
    this.#label = transport.label;
  }

  async read(path: string, signal: AbortSignal): Promise<HostFile> {
    const { answer, content } = await this.#call("read", path, {}, new Uint8Array(), signal);
    const action = this.#action("read", path);
    if (answer.word === "absent") return { state: "absent", order: this.#order(action, answer.rest) };
    if (answer.word !== "file") throw refusal(action, answer);
    if (content === null) throw this.#unreachable("the line was lost while a file was read");
    const [permissions = "", marker = "", shared = "-"] = answer.rest.split(" ");
    return {
      state: "present",
      content,
      digest: sha256(content),
      mode: modeOfPermissions(permissions),
      order: this.#order(action, marker),
      ...(shared === "links" || shared === "mount" ? { shared } : {}),
    };
  }

  async write(path: string, write: HostWrite, signal: AbortSignal): Promise<void> {
    if (write.content.length > MAX_FILE_BYTES) {
      throw refusal(this.#action("write", path), { word: "large", rest: "" });
    }
    const more: Arguments = {
      ...orderArguments(write.order),
      expected: write.expectedDigest,
      digest: sha256(write.content),
      mode: (write.mode & 0o777).toString(8).padStart(4, "0"),
      keep: write.keepCopy === true ? "yes" : "no",
      how: write.how ?? "-",
    };
    await this.#change("write", path, more, write.content, signal);
  }

  async restore(path: string, order: Order, signal: AbortSignal): Promise<void> {
    await this.#change("restore", path, orderArguments(order), new Uint8Array(), signal);
  }

  async hasRestoreCopy(path: string, signal: AbortSignal): Promise<boolean> {
    const { answer } = await this.#call("kept", path, {}, new Uint8Array(), signal);
    if (answer.word === "kept") return true;
    if (answer.word === "nothing") return false;
    throw refusal(this.#action("look at the copy of", path), answer);
  }

  async discardRestoreCopy(path: string, signal: AbortSignal): Promise<void> {
    await this.#change("discard", path, {}, new Uint8Array(), signal);
  }

  async run(argv: readonly string[], options: RunOptions, signal: AbortSignal): Promise<RunResult> {
    const program = argv[0] ?? "";
    if (argv.some((word) => /[\n\r\0]/.test(word)) || program === "") {
      throw new LockstepError(
        "INPUT_INVALID",
        `Cannot run a command on ${this.#label}: a word holds a line break, or no program is named.`,
      );
    }
    const nonce = newNonce();
    const head = `${RUN_SCRIPT}\n${nonce}\n${shellCommand(argv)}\n`;
    const result = await withDeadline(signal, options.timeoutMs, async (limited) => {
      return await this.#transport.exec(BOOTSTRAP, {
        input: Buffer.concat([Buffer.from(head), options.stdin ?? new Uint8Array()]),
        maxOutputBytes: options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES,
        signal: limited,
        killOnAbort: true,
      });
    });
    const action = `run ${program} on ${this.#label}`;
    if (result.end === "aborted") await this.#kill(groupOf(result.stdout, nonce));
    if (result.end !== "exited") {
      const why = result.end === "aborted" ? "it did not end in time and was stopped" : "the line was lost";
      throw new LockstepError("TARGET_OUTCOME_UNKNOWN", `Cannot tell how it ended to ${action}: ${why}.`);
    }
    // The mark is printed before the program starts: without it, something else answered in the shell's place.
    if (!result.stdout.includes(`lockstep ${nonce} `) && !result.truncated)
      throw result.exitCode === BOOTSTRAP_MISSED ? missed(action) : noShell(action, result.exitCode);
    return {
      exitCode: result.exitCode,
      stdout: afterMark(result.stdout, nonce),
      stderr: afterMark(result.stderr, nonce),
    };
  }

  lookIntoProcess(look: ProcessLook, signal: AbortSignal): Promise<ProcessSeen> {
    return lookIntoProcess(this.#transport, look, signal);
  }

  /** The line's own signal may have been passed on already; then this finds nothing. */
  async #kill(group: string | null): Promise<void> {
    if (group === null) return;
    const input = Buffer.from(`${KILL_SCRIPT}\n${group}\n`);
    await withDeadline(new AbortController().signal, KILL_TIMEOUT_MS, (limited) =>
      this.#transport.exec(BOOTSTRAP, { input, maxOutputBytes: 0, signal: limited, killOnAbort: false }),
    ).catch(() => undefined);
  }

  /** What the transport keeps is its owner's. */
  async close(): Promise<void> {}

  async #change(
    verb: string,
    path: string,
    more: Arguments,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const { answer } = await this.#call(verb, path, more, data, signal);
    if (answer.word !== "done") throw refusal(this.#action(verb, path), answer);
  }

  async #call(
    verb: string,
    path: string,
    more: Arguments,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ answer: Answer; content: Uint8Array | null }> {
    const action = this.#action(verb, path);
    assertPlainPath(action, path);
    const helped = await this.#askHelper(verb, path, more, data, signal);
    if (helped !== null) return { answer: helped, content: helped.tail };
    const nonce = newNonce();
    const given: Partial<Record<(typeof ARGUMENTS)[number], string>> = {
      nonce,
      verb,
      path,
      key: sha256(Buffer.from(path)),
      ...more,
    };
    const lines = [SCRIPT, ...ARGUMENTS.map((name) => given[name] ?? "-")];
    const result = await this.#transport.exec(BOOTSTRAP, {
      input: Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), data]),
      maxOutputBytes: MAX_ANSWER_BYTES,
      signal,
      killOnAbort: false,
    });
    const answer = parseAnswer(result.stdout, nonce);
    // An answer is the script's last act: it counts even when the line died right after it.
    if (answer !== null) return { answer, content: contentOf(answer, nonce) };
    const looks = isLook(verb);
    if (result.end === "exited" && result.exitCode === BOOTSTRAP_MISSED) throw missed(action);
    if (result.end === "exited" && looks) {
      throw noShell(action, result.exitCode);
    }
    if (looks) throw this.#unreachable("the line was lost before the answer came");
    // Also a script that was killed: it may have been on either side of the rename.
    throw outcomeUnknown(action, result.end === "aborted");
  }

  /** Null when the script must do it: no helper there, or it leaves this one to the script. */
  async #askHelper(
    verb: string,
    path: string,
    more: Arguments,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<Answer | null> {
    if (this.#transport.ask === undefined || !HELPER_VERBS.has(verb)) return null;
    const reply = await this.#transport.ask({ verb, path, ...more }, data, signal);
    if (reply.end === "none") return null;
    if (reply.end === "answered") return reply.answer.word === "other" ? null : reply.answer;
    if (isLook(verb)) throw this.#unreachable("the line was lost before the answer came");
    throw outcomeUnknown(this.#action(verb, path), reply.end === "aborted");
  }

  #order(action: string, marker: string): Order | null {
    if (marker === "-" || marker === "") return null;
    const order = parseOrder(marker);
    if (order === null) throw refusal(action, { word: "unreadable", rest: "" });
    return order;
  }

  #unreachable(why: string): LockstepError {
    return new LockstepError("TARGET_UNREACHABLE", `Cannot reach ${this.#label}: ${why}.`);
  }

  #action(verb: string, path: string): string {
    return `${verb === "discard" ? "discard the copy of" : verb} ${path} on ${this.#label}`;
  }
}

function orderArguments(order: Order): Arguments {
  const [store = "", epoch = "", generation = "", mark = "-"] = formatOrder(order).split(".");
  return { store, epoch, generation, mark };
}

function isLook(verb: string): boolean {
  return verb === "read" || verb === "kept";
}

function outcomeUnknown(action: string, aborted: boolean): LockstepError {
  return new LockstepError(
    "TARGET_OUTCOME_UNKNOWN",
    `Cannot tell whether it worked to ${action}: ${aborted ? "no answer in time" : "the answer was lost"}.`,
  );
}

function newNonce(): string {
  return randomBytes(16).toString("hex");
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function afterMark(output: Buffer, nonce: string): string {
  const at = output.indexOf(`lockstep ${nonce} `);
  const end = output.indexOf(0x0a, at);
  return at < 0 || end < 0 ? "" : output.subarray(end + 1).toString("utf8");
}

function groupOf(output: Buffer, nonce: string): string | null {
  return new RegExp(`lockstep ${nonce} ([0-9]+)\n`).exec(output.toString("latin1"))?.[1] ?? null;
}

function missed(action: string): LockstepError {
  return new LockstepError("TARGET_REFUSED", `Cannot ${action}: start files of the login shell read stdin.`, {
    hint: "Let ~/.bashrc and the like read nothing from stdin when no terminal is there.",
  });
}

/** What it printed instead is not repeated: it may be what was sent to it. */
function noShell(action: string, exitCode: number | null): LockstepError {
  return new LockstepError("TARGET_PROTOCOL", `Cannot ${action}: the host's shell gave no answer.`, {
    details: { exitCode },
    hint: "The account may have no shell (/sbin/nologin, /bin/false), a restricted one (rbash), or a fixed program (ForceCommand in sshd_config, command= in authorized_keys). It needs a shell with POSIX sh; or set `sftpOnly: true` for an account with SFTP alone.",
  });
}
