/** A file of the program's place, whole or not at all: also when the power fails. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, copyFile, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";

/** Beside the file that it will be; the ending stays, because Node goes by it. */
export function draftOf(path: string): string {
  return join(dirname(path), `.new-${randomBytes(6).toString("hex")}-${basename(path)}`);
}

export function isDraft(name: string): boolean {
  return /^\.new-[0-9a-f]{12}-/.test(name);
}

export type PutFrom = { readonly text: string } | { readonly copyOf: string };

/** Throws TARGET_PERMISSION. */
export async function putFile(path: string, mode: number, from: PutFrom): Promise<void> {
  const draft = draftOf(path);
  try {
    if ("text" in from) await writeFile(draft, from.text, { flag: "wx", mode: 0o600 });
    else await copyFile(from.copyOf, draft);
    await chmod(draft, mode);
    await replaceBy(path, draft);
  } catch {
    await rm(draft, { force: true }).catch(() => undefined);
    throw cannotWrite(path);
  }
}

/** The draft takes the file's place. Throws what the system throws. */
export async function replaceBy(path: string, draft: string): Promise<void> {
  await sync(draft);
  await rename(draft, path);
  await sync(dirname(path));
}

export async function sync(path: string): Promise<void> {
  const opened = await open(path, "r");
  await opened.sync().finally(() => opened.close());
}

/** Lower-case hex; null: there is none. */
export async function digestOfFile(path: string): Promise<string | null> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw cannotWrite(path);
  }
  return hash.digest("hex");
}

export async function textOf(path: string): Promise<string | null> {
  return await readFile(path, "utf8").catch(() => null);
}

export function cannotWrite(path: string): LockstepError {
  return new LockstepError("TARGET_PERMISSION", `Cannot write ${path}.`, {
    hint: "Repeat with the rights to do so.",
  });
}
