/**
 * A file that holds a credential: nobody but root and its user may have put it there or read it. Orchestrators hand them
 * over behind links, so that links are followed, each hop judged.
 *
 * Attacker: another local user, who reads what others can read, or exchanges what others can write.
 */
import { type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { shellQuote } from "./shell-quote.ts";
import { judgePath } from "./trusted-path.ts";

export interface CredentialFileTrouble {
  /** Goes on after "cannot be trusted: ". */
  readonly why: string;
  readonly remedy: string;
}

/**
 * What others can read is as good as published. systemd hands a credential over as root:root, 0440, where the group's
 * bits are only the mask of an access list for the service's own user: that one shape is let through. What remains: a
 * member of the group root could read such a file if no access list stands behind the bits.
 */
export function exposureOf(
  { mode, uid, gid }: Pick<Stats, "mode" | "uid" | "gid">,
  self: number,
): "foreign-owner" | "wide-mode" | null {
  if (uid !== self && uid !== 0) return "foreign-owner";
  const isSystemdCredential = uid === 0 && self !== 0 && gid === 0 && (mode & 0o777) === 0o440;
  return isSystemdCredential || (mode & 0o077) === 0 ? null : "wide-mode";
}

/** Null: it is well, or does not exist. */
export function judgeCredentialFile(path: string): CredentialFileTrouble | null {
  const self = process.geteuid?.() ?? 0;
  const judged = judgePath(resolve(path), { uid: self, sticky: true });
  if (judged.ok === false) return judged;
  const found = judged.ok === null ? undefined : statSync(path, { throwIfNoEntry: false });
  // Pipes and the like are for whoever reads it to refuse.
  if (found === undefined || !found.isFile() || exposureOf(found, self) === null) return null;
  return {
    why: "others than its owner can read it",
    remedy: `Take the right away: chmod 600 ${shellQuote(path)}`,
  };
}
