/**
 * The root key's file: 32 random bytes as base64url in a file that only its owner can read. It is made only for an
 * empty store; a missing or wrong key of a store that holds something is a refusal to start, never a new key.
 *
 * Leaves to others: when a key may be made (`store-keys.ts`), and its recovery copy.
 */
import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, link, mkdir, open, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { exposureOf } from "../../lib/credential-file.ts";
import { shellQuote } from "../../lib/shell-quote.ts";
import { judgePath } from "../../lib/trusted-path.ts";
import { ROOT_KEY_BYTES } from "./local-key-ring.ts";

const TEXT = /^[A-Za-z0-9_-]{43}\n?$/;
/** Longer than any key: a device or a log given by mistake is not read to its end. */
const MAX_READ_BYTES = 128;

/** As the file's text says it; null for anything else. */
export function parseRootKey(text: string): Uint8Array | null {
  const key = Buffer.from(text.trim(), "base64url");
  return TEXT.test(text) && key.length === ROOT_KEY_BYTES ? key : null;
}

/** The file's text. */
export function rootKeyText(key: Uint8Array): string {
  return `${Buffer.from(key).toString("base64url")}\n`;
}

/** Null when the file does not exist. Throws ROOT_KEY_WRONG for a file that is no key or that others can read. */
export async function readRootKey(path: string): Promise<Uint8Array | null> {
  const file = await openExisting(path);
  if (file === null) return null;
  try {
    // The opened file is judged, not the path, which may name another one by now.
    const found = await file.stat();
    assertPrivate(path, found);
    assertWay(path, found);
    const buffer = Buffer.alloc(MAX_READ_BYTES);
    const { bytesRead } = await file.read(buffer, 0, MAX_READ_BYTES, 0);
    const key = parseRootKey(buffer.toString("latin1", 0, bytesRead));
    if (key === null) throw refuse(path, "it does not hold a root key");
    return key;
  } catch (error) {
    throw error instanceof LockstepError ? error : refuse(path, "it cannot be read");
  } finally {
    await file.close();
  }
}

/**
 * Makes a key, or answers null when the file exists by then: a key is never overwritten. It appears whole and durable
 * or not at all, because a half-written one would be taken for a wrong one for ever.
 */
export async function createRootKey(path: string): Promise<Uint8Array | null> {
  const key = randomBytes(ROOT_KEY_BYTES);
  const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeDurably(draft, rootKeyText(key));
    // Unlike a rename, a link refuses to replace.
    await link(draft, path);
    return key;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return null;
    throw refuse(path, "it cannot be created", "Check that its directory exists and may be written.");
  } finally {
    await rm(draft, { force: true });
    await syncDirectory(dirname(path));
  }
}

async function openExisting(path: string): Promise<FileHandle | null> {
  try {
    // Without O_NONBLOCK a named pipe would hang the start.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw refuse(path, "it cannot be read");
  }
}

function assertPrivate(path: string, found: Stats): void {
  if (!found.isFile()) throw refuse(path, "it is not a file");
  const self = process.getuid?.() ?? 0;
  const exposure = exposureOf(found, self);
  if (exposure === "foreign-owner") {
    throw refuse(path, "another user owns it", `chown ${self} ${shellQuote(path)}`);
  }
  if (exposure === "wide-mode") {
    throw refuse(path, "others than its owner can read it", `chmod 600 ${shellQuote(path)}`);
  }
}

/** Whoever may exchange the file gives the store a key of theirs; links, as orchestrators make them, are followed. */
function assertWay(path: string, { dev, ino }: Stats): void {
  const judged = judgePath(resolve(path), { uid: process.getuid?.() ?? 0, sticky: true });
  if (judged.ok === false) throw refuse(path, judged.why, judged.remedy);
  if (judged.ok === null || judged.stats.dev !== dev || judged.stats.ino !== ino)
    throw refuse(path, "it was exchanged while it was read");
}

/** A new file of its owner alone, on disk when this returns. Throws what the system says. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r").catch(() => null);
  if (directory === null) return;
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function refuse(path: string, why: string, hint?: string): LockstepError {
  return new LockstepError(
    "ROOT_KEY_WRONG",
    `Cannot use the root key file ${path}: ${why}.`,
    hint === undefined ? {} : { hint },
  );
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
