/** A token's or a secret id's file, read at each log-in: others replace what is in it. */
import { judgeCredentialFile } from "../../lib/credential-file.ts";
import { readUserFile, textOf, UnreadableFile } from "../../lib/user-file.ts";
import { VaultFailure } from "./failure.ts";

const MAX_BYTES = 64 * 1024;

/** Without spaces around. Throws VaultFailure. */
export async function readCredentialFile(path: string): Promise<string> {
  const wrong = judgeCredentialFile(path);
  if (wrong !== null)
    throw new VaultFailure("login", `the file ${path} cannot be trusted: ${wrong.why}. ${wrong.remedy}`);
  try {
    const text = textOf(await readUserFile(path, { maxBytes: MAX_BYTES, pipes: false })).trim();
    if (text !== "") return text;
  } catch (error) {
    const why = error instanceof UnreadableFile ? error.message : "cannot be read";
    throw new VaultFailure("login", `the file ${path} ${why}`);
  }
  throw new VaultFailure("login", `the file ${path} is empty`);
}
