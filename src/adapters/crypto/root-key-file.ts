/**
 * The root key's file: 32 random bytes as base64url in a file that only its owner can read. It is made only for an
 * empty store; a missing or wrong key of a store that holds something is a refusal to start, never a new key.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { ROOT_KEY_BYTES } from "./local-key-ring.ts";

const TEXT = /^[A-Za-z0-9_-]{43}\n?$/;

/** Null when the file does not exist. Throws ROOT_KEY_WRONG for a file that is no key or that others can read. */
export async function readRootKey(path: string): Promise<Uint8Array | null> {
  let mode: number;
  try {
    mode = (await stat(path)).mode;
  } catch (error) {
    if (isMissing(error)) return null;
    throw refuse(path, "it cannot be read");
  }
  if ((mode & 0o077) !== 0) throw refuse(path, "others than its owner can read it", `chmod 600 ${path}`);
  const text = await readFile(path, "utf8").catch(() => {
    throw refuse(path, "it cannot be read");
  });
  const key = Buffer.from(text.trim(), "base64url");
  if (!TEXT.test(text) || key.length !== ROOT_KEY_BYTES) throw refuse(path, "it does not hold a root key");
  return key;
}

/** Fails when the file exists: a key is never overwritten. Durable before it is used. */
export async function createRootKey(path: string): Promise<Uint8Array> {
  const key = randomBytes(ROOT_KEY_BYTES);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "wx", 0o600).catch(() => {
    throw refuse(path, "it cannot be created");
  });
  try {
    await file.writeFile(`${key.toString("base64url")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return key;
}

function refuse(path: string, why: string, hint?: string): LockstepError {
  return new LockstepError(
    "ROOT_KEY_WRONG",
    `Cannot use the root key file ${path}: ${why}.`,
    hint === undefined ? {} : { hint },
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
