/**
 * Private keys that could log in: offered by name from ~/.ssh, read with the rights of whoever runs this, sent to the
 * server for one try, written nowhere. lockstep.yaml gets the path alone.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { readUserFile, textOf, UnreadableFile } from "../../../lib/user-file.ts";

const MAX_KEY_BYTES = 64 * 1024;
const HEADER = /^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----$/m;
const PREFERRED = ["id_ed25519", "id_ecdsa", "id_rsa"];

export interface KeyFile {
  readonly content: SecretValue;
  readonly encrypted: boolean;
}

/** Paths as a person writes them (`~/.ssh/id_ed25519`), the usual ones first. */
export async function findKeyFiles(homeDirectory: string): Promise<readonly string[]> {
  const directory = join(homeDirectory, ".ssh");
  const names = await readdir(directory).catch(() => []);
  const found: string[] = [];
  for (const name of names.toSorted(byUse)) {
    if (name.endsWith(".pub")) continue;
    const text = await readText(join(directory, name)).catch(() => "");
    if (HEADER.test(text)) found.push(`~/.ssh/${name}`);
  }
  return found;
}

/** `path` absolute. Throws CONFIG_UNREADABLE; the content is never quoted. */
export async function readKeyFile(path: string, shown: string): Promise<KeyFile> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw unusable(shown, `it ${error.message}`, "Name a private key file that you may read.");
  }
  if (!HEADER.test(text)) {
    throw unusable(
      shown,
      "it is not a private key file",
      shown.endsWith(".pub") ? "Name the file without .pub." : "Make one with `ssh-keygen -t ed25519`.",
    );
  }
  return { content: SecretValue.of(text), encrypted: isEncrypted(text) };
}

/** OpenSSH's own format names its cipher in front of everything else; PEM says it in a header. */
function isEncrypted(text: string): boolean {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----$|^Proc-Type: 4,ENCRYPTED/m.test(text)) return true;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text)?.[1];
  if (body === undefined) return false;
  const magic = "openssh-key-v1\0";
  const blob = Buffer.from(body, "base64");
  if (blob.length < magic.length + 8 || blob.toString("latin1", 0, magic.length) !== magic) return false;
  const length = blob.readUInt32BE(magic.length);
  return blob.toString("latin1", magic.length + 4, magic.length + 4 + Math.min(length, 64)) !== "none";
}

async function readText(path: string): Promise<string> {
  // Without the byte order mark that Windows' editors write, and that ssh would not take for a key.
  return textOf(await readUserFile(path, { maxBytes: MAX_KEY_BYTES, pipes: false }));
}

function byUse(left: string, right: string): number {
  const rank = (name: string) => (PREFERRED.includes(name) ? PREFERRED.indexOf(name) : PREFERRED.length);
  return rank(left) - rank(right) || left.localeCompare(right, "en");
}

function unusable(path: string, why: string, hint: string): LockstepError {
  return new LockstepError("CONFIG_UNREADABLE", `Cannot use the key file ${path}: ${why}.`, { hint });
}
