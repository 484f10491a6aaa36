/** Mounts, paths and namespaces as people write them: plain text, which is encoded by us and nobody else. Pure. */

/** What a server would clean, read as something else, or keep for itself. Null: nothing speaks against it. */
export function whyNotPlain(text: string): string | null {
  if (text === "") return "is empty";
  if (/\p{Surrogate}/u.test(text)) return "is not well-formed Unicode";
  if (Buffer.byteLength(text) > MAX_BYTES) return `is longer than ${MAX_BYTES} bytes`;
  if (NOT_PRINTABLE.test(text))
    return "holds a character that is not printable; Vault refuses those in paths";
  if (text.startsWith("/") || text.endsWith("/")) return "begins or ends with a slash; leave it out";
  if (text.trim() !== text) return "begins or ends with a blank";
  const segments = text.split("/");
  if (segments.includes("")) return "has two slashes in a row; a segment must not be empty";
  if (segments.some((segment) => segment === "." || segment === ".."))
    return "has a segment `.` or `..`; write the whole path from the mount on";
  if (/%[0-9A-Fa-f]{2}/.test(text))
    return "is encoded by hand; write it as plain text (a slash as `/`), it is encoded on the way";
  if (/[?#]/.test(text))
    return "holds `?` or `#`, as if it were copied from a URL; a path is plain text and has no query";
  if (text.includes("{{"))
    return "holds `{{`; a policy reads that as a template, and could not name this path alone";
  if (text.endsWith("*") || segments.includes("+"))
    return "ends with `*` or has a segment `+`; a policy reads those as wildcards, and could not name this path alone";
  return null;
}

/** The path of the API, as the documentation shows it, in place of the path below the mount. */
export function whyApiPath(path: string, mount: string): string | null {
  const [first = ""] = path.split("/");
  const below = path.startsWith(`${mount}/`) ? path.slice(mount.length + 1) : path;
  const inner = /^(?:v1\/)?(?:data|metadata)(?:\/|$)/.exec(below);
  if (inner === null && first !== "v1") return null;
  const rest = below.slice(inner?.[0].length ?? 0);
  return `is a path of Vault's API; leave out ${inner === null ? "`v1/`" : "`data/` or `metadata/`, which are added"}${rest === "" || inner === null ? "" : `: path: ${rest}`}`;
}

/** As it stands in a name of ours: no character of it separates anything. */
export function encodedPath(text: string): string {
  return text
    .split("/")
    .map((segment) => encodeURIComponent(segment))
    .join("/");
}

const MAX_BYTES = 512;

/** As Go's `unicode.IsPrint`: of all blanks the space alone. */
const NOT_PRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
