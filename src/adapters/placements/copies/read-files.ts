/**
 * Reads many files of a host in one request, as they are: symlinks are followed, foreign owners and wide modes are no
 * hindrance, because nothing is written by what is read here. Values stay in the caller's memory.
 */
import type { Host } from "../../../core/ports/host.ts";
import { REACH_USER_MANAGER } from "../../hosts/script/user-manager.ts";
import type { NamedUnit } from "../activation/systemd-name.ts";

const TIMEOUT_MS = 20_000;
const MAX_FILE_BYTES = 262_144;
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/**
 * $1: a systemd unit or nothing, $2: `user` for one of the user's own manager, the rest: paths. With such a unit come the
 * files from which that manager makes its own environment (environment.d(5)). Each line is a word, a name in base64, and what the word says: of a
 * file, who else may read it (everybody, a group, nobody), and its content. Only plain files are opened: a pipe would wait
 * for ever. A group that is named as the owner is their own by custom; root's reads everything anyway.
 */
const SCRIPT = `
main() {
unit=$1; whose=$2; shift 2
name() { printf %s "$1" | base64 | tr -d '\\n'; }
emit() {
  case $1 in "~/"*) at=$HOME/\${1#??};; *) at=$1;; esac
  if [ ! -e "$at" ]; then [ -d "\${at%/*}" ] && [ ! -x "\${at%/*}" ] && printf 'closed %s\\n' "$(name "$1")"; return 0; fi
  if [ ! -f "$at" ]; then printf 'odd %s\\n' "$(name "$1")"; return 0; fi
  if [ ! -r "$at" ]; then printf 'closed %s\\n' "$(name "$1")"; return 0; fi
  if [ "$(wc -c <"$at")" -gt ${MAX_FILE_BYTES} ]; then printf 'large %s\\n' "$(name "$1")"; return 0; fi
  rights=$(ls -ldL "$at" | {
    read -r mode links owner group rest
    case $mode in
      (???????r*) echo open;;
      (????r*) case $group in ("$owner"|root|wheel) echo closed;; (*) printf 'group.%s\\n' "$(name "$group")";; esac;;
      (*) echo closed;;
    esac
  })
  printf 'file %s %s ' "$(name "$1")" $rights; base64 <"$at" | tr -d '\\n'; printf '\\n'
}
printf 'home %s\\n' "$(name "$HOME")"
if [ -n "$unit" ] && command -v systemctl >/dev/null 2>&1; then
  shown=
  [ "$whose" = user ] || shown=$(systemctl show --property=FragmentPath,DropInPaths -- "$unit" 2>/dev/null)
  case $shown in *FragmentPath=/*) ;; *) ${REACH_USER_MANAGER}; shown=$(systemctl --user show --property=FragmentPath,DropInPaths -- "$unit" 2>/dev/null);; esac
  for at in $(printf '%s\\n' "$shown" | sed -n 's/^FragmentPath=//p') $(printf '%s\\n' "$shown" | sed -n 's/^DropInPaths=//p'); do
    printf 'unit %s\\n' "$(name "$at")"; emit "$at"
  done
fi
[ "$whose" != user ] || for at in "$HOME"/.config/environment.d/*.conf; do [ ! -e "$at" ] || emit "$at"; done
for given in "$@"; do emit "$given"; done
}
main "$@" </dev/null
exit 0
`;

export interface FilesRead {
  /** Absolute: what `~` means there. */
  readonly home: string;
  /** By the path as it was asked for. Files that do not exist are left out. */
  readonly texts: ReadonlyMap<string, string>;
  /** What the unit consists of: the fragment, then its drop-ins in the order in which systemd reads them. */
  readonly unitFiles: readonly string[];
  readonly unread: ReadonlyMap<string, string>;
  /** Of `texts`, what every user of the host may read. */
  readonly open: ReadonlySet<string>;
  /** Of `texts`, what a group may read that is not its owner's own. */
  readonly groups: ReadonlyMap<string, string>;
}

const REASONS: Readonly<Record<string, string>> = {
  closed: "the account may not read it",
  odd: "it is not a plain file",
  large: `it is larger than ${MAX_FILE_BYTES / 1024} KiB`,
};

export async function readFiles(
  host: Pick<Host, "run">,
  unit: NamedUnit | null,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<FilesRead> {
  const { stdout } = await host.run(
    ["sh", "-s", "--", unit?.unit ?? "", unit?.isUser === true ? "user" : "system", ...paths],
    { stdin: Buffer.from(SCRIPT), timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_OUTPUT_BYTES },
    signal,
  );
  const texts = new Map<string, string>();
  const unread = new Map<string, string>();
  const unitFiles: string[] = [];
  const open = new Set<string>();
  const groups = new Map<string, string>();
  let home = "";
  for (const line of stdout.split("\n")) {
    const [word = "", name = "", rights = "", content = ""] = line.split(" ");
    const path = decoded(name);
    const reason = REASONS[word];
    if (word === "home") home = path;
    else if (word === "unit") unitFiles.push(path);
    else if (word === "file") {
      texts.set(path, decoded(content));
      if (rights === "open") open.add(path);
      if (rights.startsWith("group.")) groups.set(path, decoded(rights.slice("group.".length)));
    } else if (reason !== undefined) unread.set(path, reason);
  }
  return { home, texts, unitFiles, unread, open, groups };
}

function decoded(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
