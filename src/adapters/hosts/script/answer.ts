/** Reads what the script answered, and words its refusals. */
import { LockstepError } from "../../../core/errors.ts";
import { shellQuote } from "../../../lib/shell-quote.ts";
import { visibleLine } from "../../../lib/visible-text.ts";

export interface Answer {
  readonly word: string;
  readonly rest: string;
  /** What followed the answer's line. */
  readonly tail: Buffer;
}

/** Null when no whole line of this nonce is there. */
export function parseAnswer(stdout: Buffer, nonce: string): Answer | null {
  const start = Buffer.from(`lockstep ${nonce} `);
  const from = stdout.indexOf(start);
  if (from < 0) return null;
  const end = stdout.indexOf(0x0a, from);
  if (end < 0) return null;
  const line = stdout.subarray(from + start.length, end).toString("utf8");
  const space = line.indexOf(" ");
  return {
    word: space < 0 ? line : line.slice(0, space),
    rest: space < 0 ? "" : line.slice(space + 1),
    tail: stdout.subarray(end + 1),
  };
}

/** The content between the answer's line and the closing one; null when it was cut off. */
export function contentOf(answer: Answer, nonce: string): Buffer | null {
  const closing = Buffer.from(`\nlockstep ${nonce} end\n`);
  const at = answer.tail.length - closing.length;
  if (at < 0 || !answer.tail.subarray(at).equals(closing)) return null;
  return answer.tail.subarray(0, at);
}

/** `-rw-r-----` → 0o640. */
export function modeOfPermissions(permissions: string): number {
  let mode = 0;
  for (const [index, bit] of [...permissions.slice(1, 10)].entries()) {
    if (bit !== "-") mode |= 1 << (8 - index);
  }
  return mode;
}

/** `action`: for example `read /etc/app/env on deploy@host:22`. */
export function refusal(action: string, { word, rest }: Pick<Answer, "word" | "rest">): LockstepError {
  // The host's words: at most a path's length of them.
  const shown = visibleLine(rest.slice(0, 1024));
  const [first = "", ...others] = shown.split(" ");
  const place = others.join(" ");
  const error = (code: ConstructorParameters<typeof LockstepError>[0], why: string, hint?: string) =>
    new LockstepError(code, `Cannot ${action}: ${why}.`, hint === undefined ? {} : { hint });

  switch (word) {
    case "conflict":
      return error("WRITE_CONFLICT", "its content is not what was read before");
    case "busy":
      return error("WRITE_CONFLICT", `another write holds the lock ${shown}`);
    case "order":
      return error("ORDER_REFUSED", `the place carries the order ${shown}`);
    case "nothing":
      return error("NOT_FOUND", "no copy for restoring is kept");
    case "unsafe":
      return unsafe(error, first, place);
    case "denied":
      return error("TARGET_PERMISSION", deniedText(shown));
    case "full":
      return error("TARGET_FULL", `the disk there is full (${shown})`);
    case "read-only":
      return error("TARGET_READ_ONLY", `the file system there can only be read (${shown})`);
    case "fixed":
      return error(
        "TARGET_PERMISSION",
        `${shown} is immutable or append-only`,
        `An attribute forbids it, not a mode: \`lsattr -d\` there shows it, and root takes it away with \`chattr -i -a\` (macOS and BSD: \`ls -ldO\`, \`chflags\`).`,
      );
    case "shared":
      return error("FILE_SHARED", ...SHARED[first === "mount" ? "mount" : "links"]);
    case "half":
      return error(
        "TARGET_REFUSED",
        `an earlier write in place was cut off in the middle, and what stood there before is kept in ${first}`,
        "Put back what is right (`cat` the kept file into the other one, or correct it by hand), then remove the kept file.",
      );
    case "missing":
      return error("TARGET_REFUSED", `the directory ${shown} does not exist`, "Create it.");
    case "large":
      return error("TARGET_REFUSED", "the file is larger than 4 MiB");
    case "short":
      return error(
        "WRITE_CONFLICT",
        "what arrived there has another digest than what was sent: the line lost a part, or the host's program for digests does not work",
      );
    case "lacks":
      return error(
        "UNSUPPORTED",
        `the host lacks ${LACKING[first] ?? "a tool that is needed"}`,
        "Install it there, or set `sftpOnly: true`.",
      );
    case "unreadable":
      return error(
        "TARGET_REFUSED",
        `the order marker ${shown} is damaged`,
        "Compare the file with what should stand there, then remove the marker.",
      );
    case "failed":
      return error("TARGET_REFUSED", FAILURES[first] ?? "a step failed on the host");
    default:
      return new LockstepError("TARGET_PROTOCOL", `Cannot ${action}: the answer was not understood.`);
  }
}

const MAY_NOT = new Map([
  ["enter", "enter the directory"],
  ["read", "read"],
  ["make", "make files in the directory"],
]);

/** What, who and where; SFTP tells the place alone. */
function deniedText(rest: string): string {
  const [, what = "", user = "", place = ""] = /^(\w+) (\d+) (.+)$/.exec(rest) ?? [];
  const right = MAY_NOT.get(what);
  return right === undefined ? `no right to ${rest}` : `the user with id ${user} may not ${right} ${place}`;
}

const LACKING: Readonly<Record<string, string>> = {
  sha256: "sha256sum, shasum, sha256 and openssl",
  mktemp: "mktemp, or room for a file in ~/.lockstep",
  acl: "getfacl and setfacl, which are needed to keep the file's ACL",
};

const FAILURES: Readonly<Record<string, string>> = {
  space: "writing failed on the host; the disk may be full",
  mode: "the file's mode cannot be set",
  group: "the file's group cannot be kept, because the user is not in it",
  acl: "the file's ACL cannot be kept",
  rename: "the new file cannot be moved into place",
  place:
    "the new file cannot be moved into place, as for one that is mounted by itself (then mount the directory in which it stands)",
  over: "the file's own bytes cannot be changed",
};

/** Why, and what to do. */
const SHARED: Readonly<Record<"links" | "mount", readonly [string, string]>> = {
  mount: [
    "it is mounted by itself, so that no new file can take its place",
    "Mount the directory in which it stands instead, or say `write: in-place` for it, which is not at once.",
  ],
  links: [
    "it has further names (hard links), which would keep the old content",
    "Keep one name (`find -samefile` shows them), or say `write: in-place` for it, and all names show the new content, or `write: replace`, and the others keep the old one.",
  ],
};

/** What a write of the file would be refused for; null: for nothing that a look shows. */
export function obstacleTo(
  action: string,
  shared: "links" | "mount" | undefined,
  how: "replace" | "in-place" | undefined,
): LockstepError | null {
  if (shared === undefined || how === "in-place" || (how === "replace" && shared === "links")) return null;
  return refusal(action, { word: "shared", rest: shared });
}

function unsafe(
  error: (code: "FILE_UNSAFE", why: string, hint?: string) => LockstepError,
  kind: string,
  rest: string,
): LockstepError {
  switch (kind) {
    case "link":
      return error("FILE_UNSAFE", "it is a symbolic link", "Name the file that it leads to.");
    case "kind":
      return error("FILE_UNSAFE", "it is not a regular file");
    case "owner":
      return error("FILE_UNSAFE", `it belongs to the user with id ${rest}`, "Log in as the file's owner.");
    case "mode":
      return error(
        "FILE_UNSAFE",
        `its mode is ${rest.split(" ")[0] ?? ""}, which lets other users access it`,
        "Take the rights away: chmod 600, or 640 where a group must read it.",
      );
    default: {
      const directory = [kind, rest].join(" ").replace(/^way /, "");
      return error(
        "FILE_UNSAFE",
        `${directory}: this directory is writable by others, or belongs to somebody else`,
        `Each directory on the way must belong to root or the file's owner, and be writable by nobody else, nor by a group: \`chmod go-w ${shellQuote(directory)}\` there (a umask of 002 gives the group that right), or chown.`,
      );
    }
  }
}
