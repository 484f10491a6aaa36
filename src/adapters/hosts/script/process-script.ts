/**
 * The constant script that compares what a process was started with: POSIX sh, sent over stdin to BOOTSTRAP with its
 * arguments, one a line, in the order of PROCESS_ARGUMENTS, then as many lines as `count` says: each key's name in hex.
 *
 * It reads the INITIAL environment, /proc/<pid>/environ (proc(5)), because that is what an injected secret reaches. A
 * value goes from `od` through `awk` into the digest tool by pipes alone: in no argument, no file, no variable of the
 * shell. In hex it is told apart byte by byte, so line breaks and bytes that are no text are nothing special. The nonce
 * is hashed as its text, for shells and awks that lose a NUL.
 *
 * stdout: `lockstep <nonce> <word> …`: `seen <boot id> <pid> <start> <digest or -> …`, `none`, `changing <why>`,
 * `cannot <why> …`, `missing`, `failed <exit code>`. `nonce` marks the answer; `salt` is the one that is hashed.
 *
 * Before and after the digests it looks at which process it is, when that was started and that it may be read: a
 * number can be another process's in between, and a process that has ended shows an empty environment.
 */
import { REACH_USER_MANAGER } from "./user-manager.ts";

export const PROCESS_ARGUMENTS = ["nonce", "salt", "kind", "name", "count"] as const;

/** Of nothing at all: awk printed neither salt nor value, so the process was started without that key. */
const NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** First line: the salt and the wanted key in hex. Then od's bytes. Prints salt and value of the first such variable. */
const PICK = [
  'BEGIN { for (i = 0; i < 256; i++) byte[sprintf("%02x", i)] = i }',
  "NR == 1 { salt = $1; want = $2; next }",
  "{ for (i = 1; i <= NF; i++) {",
  'if ($i == "00") { if (hit) exit; over = 0; name = ""; continue }',
  'if (hit) { printf "%c", byte[$i]; continue }',
  "if (over) continue;",
  'if ($i != "3d") { name = name $i; continue }',
  'over = 1; if (name == want) { hit = 1; printf "%s", salt }',
  "} }",
].join(" ");

const TEXT = `
: lockstep 1;
umask 077; LC_ALL=C; export LC_ALL; unset CDPATH IFS; set -f;
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin;
${PROCESS_ARGUMENTS.map((name) => `IFS= read -r ${name};`).join(" ")}
say() { printf "%s\\n" "lockstep $nonce $*"; exit 0; };
trap "exit 1" HUP INT TERM PIPE;

[ -r /proc/self/environ ] || say cannot system;
IFS= read -r boot </proc/sys/kernel/random/boot_id || say cannot system;
command -v od >/dev/null 2>&1 || say cannot lacks od;
command -v awk >/dev/null 2>&1 || say cannot lacks awk;
if command -v sha256sum >/dev/null 2>&1; then sha256() { sha256sum; };
elif command -v shasum >/dev/null 2>&1; then sha256() { shasum -a 256; };
elif command -v openssl >/dev/null 2>&1; then sha256() { openssl dgst -sha256 -r; };
elif command -v python3 >/dev/null 2>&1; then sha256() { python3 -c "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"; };
else say cannot lacks sha256; fi;

own=;
case $kind in systemd-user) own=--user; ${REACH_USER_MANAGER};; esac;
from_systemd() {
  shown=$(systemctl $own show --property=LoadState,ActiveState,MainPID -- "$name" 2>&1) || {
    code=$?;
    case $shown in *"ermission denied"*|*"not permitted"*) say failed $code;; esac;
    case $own$shown in --user*"Failed to connect to"*|--user*"Failed to get D-Bus"*) say cannot manager "$(id -un)";; esac;
    say failed $code;
  };
  pid=0; active=;
  for line in $shown; do
    case $line in
      LoadState=not-found) say missing;;
      ActiveState=*) active=\${line#*=};;
      MainPID=*) pid=\${line#*=};;
    esac;
  done;
  case $active in activating|deactivating|reloading) say changing "$active";; esac;
};

# Whoever may write the file or replace it chooses whose environment counts: see the signal's activation.
from_file() {
  at=$name; case $at in "~/"*) at=$HOME/\${at#??};; esac;
  [ -e "$at" ] || [ -L "$at" ] || say none;
  [ -f "$at" ] || say cannot file;
  bad=$(find "$at" "\${at%/*}/." -prune \\( -type l -o ! -user 0 ! -user "$(id -u)" -o -perm -020 -o -perm -002 \\) -print 2>/dev/null);
  [ -z "$bad" ] || say cannot open;
  pid=; IFS= read -r pid <"$at" || [ -n "$pid" ] || say cannot file;
};

# Sets pid and start; start is empty where no such process is seen.
find_process() {
  case $kind in systemd|systemd-user) from_systemd;; *) from_file;; esac;
  start=;
  case $pid in 0) say none;; ""|0*|*[!0-9]*) say cannot file;; esac;
  stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return;
  set -- \${stat##*) };
  case \${1:-Z} in Z|X|x) return;; esac;
  [ $# -lt 20 ] || start=\${20};
};

# The right is asked for when the file is opened: its mode says nothing about it.
check_right() {
  od -An -v -tx1 -N1 "/proc/$pid/environ" >/dev/null 2>&1 && return;
  set -- $(ls -dn "/proc/$pid" 2>/dev/null);
  say cannot right "\${3:--}" "$(id -u)";
};

find_process;
if [ -z "$start" ]; then
  # It lives and is not shown.
  case $(kill -0 "$pid" 2>&1) in *ermitted*) say cannot hidden;; esac;
  [ "$kind" != pid-file ] || say none;
  say changing gone;
fi;
check_right;
before=$pid.$start; sums=;
while [ "$count" -gt 0 ]; do
  count=$((count - 1)); IFS= read -r key;
  sum=$({ printf "%s\\n" "$salt $key"; od -An -v -tx1 "/proc/$pid/environ" 2>/dev/null; } | awk '${PICK}' | sha256);
  sum=\${sum%% *};
  [ "$sum" != ${NOTHING} ] || sum=-;
  sums="$sums $sum";
done;
was=$pid;
find_process;
[ "$pid.$start" = "$before" ] || say changing replaced;
check_right;
say seen "$boot" "$was" "\${start}$sums";
`;

/** One line, without comments: BOOTSTRAP reads one line. */
export const PROCESS_SCRIPT = TEXT.split("\n")
  .map((line) => line.trim())
  .filter((line) => line !== "" && !line.startsWith("#"))
  .join(" ");
