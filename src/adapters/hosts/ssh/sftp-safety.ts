/** The look at a file and the way to it over SFTP: the same rules as in the script, by attributes instead of `find`. */
import type { Attributes } from "ssh2";
import type { LockstepError } from "../../../core/errors.ts";
import { MAX_FILE_BYTES } from "../script/script.ts";
import type { SftpSession } from "./sftp-session.ts";

const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const LINK = 0o120000;
const STICKY = 0o1000;

export type Refuse = (word: string, rest: string) => LockstepError;

/** `me`: the user's id, or null when it cannot be told. Throws what `refuse` makes. */
export async function assertSafeWay(
  session: SftpSession,
  directories: readonly string[],
  me: number | null,
  refuse: Refuse,
): Promise<void> {
  const last = new Set(directories);
  for (const way of new Set(directories.flatMap(stepsTo))) {
    const found = await session.lstat(way);
    if (found === null) throw refuse("missing", way);
    if (found.uid !== 0 && me !== null && found.uid !== me) throw refuse("unsafe", `way ${way}`);
    if ((found.mode & TYPE_MASK) !== DIRECTORY) continue;
    const open = (found.mode & 0o022) !== 0;
    if (open && ((found.mode & STICKY) === 0 || last.has(way))) throw refuse("unsafe", `way ${way}`);
  }
}

/** Null when nothing is there. Throws what `refuse` makes. */
export async function lookAtFile(
  session: SftpSession,
  path: string,
  me: number | null,
  refuse: Refuse,
): Promise<Attributes | null> {
  const found = await session.lstat(path);
  if (found === null) return null;
  const type = found.mode & TYPE_MASK;
  if (type === LINK) throw refuse("unsafe", `link ${path}`);
  if (type !== REGULAR) throw refuse("unsafe", `kind ${path}`);
  if (me !== null && found.uid !== me) throw refuse("unsafe", `owner ${found.uid} ${path}`);
  if ((found.mode & 0o6027) !== 0) {
    throw refuse("unsafe", `mode ${(found.mode & 0o7777).toString(8).padStart(4, "0")} ${path}`);
  }
  if (found.size > MAX_FILE_BYTES) throw refuse("large", path);
  return found;
}

/** `/a/b` → `/`, `/a`, `/a/b`. */
function stepsTo(directory: string): string[] {
  const parts = directory.split("/").filter((part) => part !== "");
  return ["/", ...parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`)];
}
