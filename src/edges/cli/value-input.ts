/**
 * Values come from stdin, a prompt without echo, or a file; never from argv, which every local user can read and the
 * shell keeps. One final line break is dropped, because `echo` and editors add it, and the note says so; of a key or
 * certificate in PEM form it is kept, because the form ends with it. A byte order mark at the beginning is dropped too, and
 * what cannot be seen at the ends otherwise is refused. `--exact` keeps every byte.
 */
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { BYTE_ORDER_MARK, looksLikeUtf16, unmeantEnds } from "../../lib/hidden-text.ts";
import { isPem } from "../../lib/pem-text.ts";
import { textOf, UnreadableFile } from "../../lib/user-file.ts";
import type { Cli } from "./cli.ts";
import { promptHidden } from "./prompt.ts";
import { userInput } from "./user-input.ts";

export interface ValueOptions {
  readonly valueFile?: string;
  readonly exact?: boolean;
}

const MAX_BYTES = 256 * 1024;
const MAX_KEY_BYTES = 64 * 1024;
const STANDARD_INPUT = "-";

/** Throws VALUE_INVALID for what is empty, too large or no UTF-8; CONFIG_UNREADABLE for a file that cannot be read. */
export async function readValue(cli: Cli, options: ValueOptions): Promise<SecretValue> {
  if (options.valueFile === undefined && cli.stdin.isTTY) return promptTwice(cli, options);
  const given = await readText(cli, options.valueFile ?? STANDARD_INPUT);
  if (options.exact === true) return SecretValue.of(assertGiven(given));
  const text = withoutMark(cli, given);
  const isForm = isPem(text);
  const kept = assertGiven(isForm ? text : text.replace(/\r?\n$|\r$/, ""));
  if (kept !== text) cli.output.note("note: one final line break was dropped; --exact keeps it.");
  else if (isForm && kept.endsWith("\n"))
    cli.output.note("note: the final line break was kept: keys and certificates in PEM form end with one.");
  assertMeant(cli, kept);
  return SecretValue.of(kept);
}

function assertGiven(value: string): string {
  if (value === "") throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is empty.");
  return value;
}

/** Windows' programs begin files and pipes with it; a service that compares values would not know its own. */
function withoutMark(cli: Cli, text: string): string {
  if (!text.startsWith(BYTE_ORDER_MARK)) return text;
  cli.output.note("note: a byte order mark at the beginning was dropped; --exact keeps it.");
  return text.slice(1);
}

/** Throws VALUE_INVALID for what came along unseen when the value was copied or piped. */
function assertMeant(cli: Cli, value: string): void {
  const trouble = looksLikeUtf16(value) ? "is UTF-16, not UTF-8" : unmeantEnds(value);
  if (trouble !== null) {
    throw new LockstepError("VALUE_INVALID", `Cannot set the value: it ${trouble}.`, {
      hint: "Remove that, or save the value as UTF-8; --exact sets it as it is.",
    });
  }
  if (value.includes("\r\n")) cli.output.note("note: the value has Windows line ends, and keeps them.");
}

/** Of a key: what a line break at its end would be is nobody's. */
export async function readCopy(cli: Cli, path: string | undefined): Promise<SecretValue> {
  const bytes = await readBytes(cli, "the copy", path ?? STANDARD_INPUT, MAX_KEY_BYTES);
  return SecretValue.of(bytes.toString("latin1").trim());
}

async function promptTwice(cli: Cli, { exact }: ValueOptions): Promise<SecretValue> {
  const first = await promptHidden(cli, "Value (not shown): ");
  const second = await promptHidden(cli, "Again: ");
  if (first === second && first !== "") {
    if (exact !== true) assertMeant(cli, first);
    return SecretValue.of(first);
  }
  throw new LockstepError(
    "VALUE_INVALID",
    first === "" ? "Cannot set the value: it is empty." : "Cannot set the value: the two differ.",
  );
}

async function readText(cli: Cli, path: string): Promise<string> {
  const bytes = await readBytes(cli, "the value", path, MAX_BYTES);
  try {
    return textOf(bytes, { keepMark: true });
  } catch {
    const isUtf16 = [0xfeff, 0xfffe].includes(bytes.length < 2 ? 0 : bytes.readUInt16BE(0));
    throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is not valid UTF-8.", {
      hint: isUtf16
        ? "It begins like UTF-16: save it as UTF-8, in PowerShell for example with `-Encoding utf8NoBOM`."
        : "Encode binary data first, for example with base64.",
    });
  }
}

/** Throws VALUE_INVALID for what is too large, CONFIG_UNREADABLE for what cannot be read, INTERRUPTED. */
export async function readBytes(cli: Cli, what: string, path: string, maxBytes: number): Promise<Buffer> {
  try {
    return await userInput(cli).read(path, maxBytes);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const name = path === STANDARD_INPUT ? "the standard input" : path;
    if (error.trouble === "too-large")
      throw new LockstepError("VALUE_INVALID", `Cannot use ${what} from ${name}: it ${error.message}.`);
    throw new LockstepError("CONFIG_UNREADABLE", `Cannot read ${what} from ${name}: it ${error.message}.`, {
      hint: "Name a file that exists and may be read, or a pipe; `-` is the standard input.",
    });
  }
}
