/**
 * Values come from stdin, a prompt without echo, or a file; never from argv, which every local user can read and the
 * shell keeps. One final line break is dropped, because `echo` and editors add it, and the note says so; `--exact`
 * keeps every byte.
 */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { Cli } from "./cli.ts";
import { promptHidden } from "./prompt.ts";

export interface ValueOptions {
  readonly valueFile?: string;
  readonly exact?: boolean;
}

const MAX_BYTES = 256 * 1024;

/** Throws VALUE_INVALID for what is empty, too large or no UTF-8; CONFIG_UNREADABLE for a file that cannot be read. */
export async function readValue(cli: Cli, options: ValueOptions): Promise<SecretValue> {
  if (options.valueFile === undefined && cli.stdin.isTTY) return promptTwice(cli);
  const bytes =
    options.valueFile === undefined
      ? await readAll(cli.stdin)
      : await readFile(resolve(cli.surroundings.workingDirectory, options.valueFile));
  const text = decode(bytes);
  const kept = options.exact === true ? text : text.replace(/\r?\n$/, "");
  if (kept === "") throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is empty.");
  if (kept !== text) cli.output.note("note: one final line break was dropped; --exact keeps it.");
  return SecretValue.of(kept);
}

/** Of a key: what a line break at its end would be is nobody's. */
export async function readCopy(cli: Cli, path: string | undefined): Promise<SecretValue> {
  const bytes =
    path === undefined
      ? await readAll(cli.stdin)
      : await readFile(resolve(cli.surroundings.workingDirectory, path));
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

async function readFile(path: string): Promise<Buffer> {
  try {
    const file = await open(path, "r");
    try {
      return await readAll(file.createReadStream());
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    throw new LockstepError("CONFIG_UNREADABLE", `Cannot read the value from ${path}.`, {
      hint: "Check that the file exists and may be read.",
    });
  }
}

async function readAll(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES)
      throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is larger than 256 KiB.");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new LockstepError("VALUE_INVALID", "Cannot set the value: it is not valid UTF-8.", {
      hint: "Encode binary data first, for example with base64.",
    });
  }
}
