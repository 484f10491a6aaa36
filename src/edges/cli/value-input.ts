/**
 * Values come from stdin, a prompt without echo, or a file; never from argv, which every local user can read and the
 * shell keeps. One final line break is dropped, because `echo` and editors add it, and the note says so; of a key or
 * certificate in PEM form it is kept, because the form ends with it. `--exact` keeps every byte.
 */
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
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
  if (options.valueFile === undefined && cli.stdin.isTTY) return promptTwice(cli);
  const text = await readText(cli, options.valueFile ?? STANDARD_INPUT);
  const isForm = isPem(text);
  const kept = options.exact === true || isForm ? text : text.replace(/\r?\n$/, "");
  if (kept === "") throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is empty.");
  if (kept !== text) cli.output.note("note: one final line break was dropped; --exact keeps it.");
  else if (isForm && options.exact !== true && kept.endsWith("\n"))
    cli.output.note("note: the final line break was kept: keys and certificates in PEM form end with one.");
  return SecretValue.of(kept);
}

/** Of a key: what a line break at its end would be is nobody's. */
export async function readCopy(cli: Cli, path: string | undefined): Promise<SecretValue> {
  const bytes = await readBytes(cli, "the copy", path ?? STANDARD_INPUT, MAX_KEY_BYTES);
  return SecretValue.of(bytes.toString("latin1").trim());
}

async function promptTwice(cli: Cli): Promise<SecretValue> {
  const first = await promptHidden(cli, "Value (not shown): ");
  const second = await promptHidden(cli, "Again: ");
  if (first === second && first !== "") return SecretValue.of(first);
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
    throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is not valid UTF-8.", {
      hint: "Encode binary data first, for example with base64.",
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
