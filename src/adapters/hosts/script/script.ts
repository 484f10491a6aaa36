/**
 * The one script that reads and writes files on a host: constant, POSIX sh, sent as bootstrap.ts says.
 * stdin: the script as one line; its arguments, one a line, in the order of ARGUMENTS; then the data up to the end.
 * stdout: anything that start files print; then `lockstep <nonce> <word> …` as the only line that counts. Each call
 * has a nonce of its own, so that no file's content can pass for an answer.
 *
 * State on the host, in ~/.lockstep (0700, checked), named by <key> = sha256 of the path, its links followed, so that one
 * file has one state however it is named:
 *   <key>.order   the marker: the highest order that a write here may have had, with the digest of what it was given to
 *   <key>.keep    the copy for restoring, 0600, where something can be restored; <key>.wrote: digest of what replaced
 *                 it. Removed by whoever asked for it; what was forgotten goes a day later, with the next write here
 *   <key>.was     what stood there before a write in place that is not over
 *   <key>.temp    name of the temporary file beside the target, to remove it after a crash
 *   <key>.lock    locked by flock where there is one; otherwise <key>.lock.d is made and holds the owner's pid
 *
 * Why no crash lets an older write win: under the lock, the marker is raised and synced BEFORE the rename, and checked
 * before it is raised. A crash between the two leaves the old content under the new marker: the same write may repeat
 * (equal order, equal digest), a newer one may come, an older one and another one of the same number are refused. The
 * marker says "nothing older may be written any more", never "this was written"; what stands there is told by reading.
 * The data is taken in completely, and its digest checked, before the lock is asked for: a line that dies in the middle
 * of the data blocks nobody.
 */

import { TAKE_OVER_RIGHTS } from "./kept-rights.ts";
import { FIND_SHARED, WRITE_IN_PLACE } from "./shared-file.ts";

export const ARGUMENTS = [
  "nonce",
  "verb",
  "path",
  "key",
  "expected",
  "digest",
  "mode",
  "store",
  "epoch",
  "generation",
  "mark",
  "keep",
  "how",
] as const;

export const MAX_FILE_BYTES = 4 * 1024 * 1024;

const TEXT = `
: lockstep 1;
umask 077; LC_ALL=C; export LC_ALL; unset CDPATH IFS; set -f;
PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin;
temp=; incoming=; held=; sum=; marker=-; present=no; shared=-;
${ARGUMENTS.map((name) => `IFS= read -r ${name};`).join(" ")}
case $keep in yes) keeping=yes;; *) keeping=no;; esac;
me=$(id -u); home=\${HOME:-/}; state=$home/.lockstep;

# Everything ends through say: one answer, then out. The trap removes what must not stay.
say() { printf "%s\\n" "lockstep $nonce $*"; exit 0; };
finish() {
  [ -z "$temp" ] || rm -f "$temp";
  [ -z "$incoming" ] || rm -f "$incoming";
  [ -z "$held" ] || rm -rf "$held";
};
trap finish EXIT; trap "exit 1" HUP INT TERM PIPE;

if command -v sha256sum >/dev/null 2>&1; then sha256() { sha256sum; };
elif command -v shasum >/dev/null 2>&1; then sha256() { shasum -a 256; };
elif command -v sha256 >/dev/null 2>&1; then sha256() { command sha256 -q; };
elif command -v openssl >/dev/null 2>&1; then sha256() { openssl dgst -sha256 -r; };
else say lacks sha256; fi;
digest_of() { sum=$(sha256 <"$1"); sum=\${sum%% *}; };
key_of() { key=$(printf %s "$1" | sha256); key=\${key%% *}; };
case $path in "~/"*) path=$home/\${path#??}; key_of "$path";; esac;
# One file has one marker, whatever links lead to it. What an earlier release left goes by the path as it is written: asked.
asked=$state/$key;
up=\${path%/*}; below=;
until [ -d "\${up:-/}" ]; do below=/\${up##*/}$below; up=\${up%/*}; done;
way=$(cd -P -- "\${up:-/}" 2>/dev/null && pwd -P) || way=$up;
[ "$way" != / ] || way=;
[ "$way$below/\${path##*/}" = "$path" ] || key_of "$way$below/\${path##*/}";
file=$state/$key;

flush() { sync "$@" 2>/dev/null || sync; };

# Why writing at $1 failed, by what a tool said of it: in the C locale these are the system's own words. $3: in no other
# words. Some shells' printf says nothing of use, so that cat is asked once more.
spoilt() {
  case $1 in ./*) at=$real;; *) at=$1;; esac;
  said=$2; [ "$3" != "failed space" ] || said="$said $({ echo | cat >"$1"; } 2>&1)";
  case $said in
    *"No space left"*|*"uota exceeded"*) say full "$at";;
    *"Read-only file system"*) say read-only "$at";;
    *"Operation not permitted"*) say fixed "$at";;
    *"esource busy"*) say shared mount "$path";;
  esac;
  say $3;
};
put_line() { why=$({ printf "%s\\n" "$1" >"$2"; } 2>&1) || spoilt "$2" "$why" "failed space"; };
copy() { why=$({ cat "$1" >"$2"; } 2>&1) || spoilt "$2" "$why" "failed space"; };

# Each directory on the way, as written and where links lead, belongs to root or to us and is not writable by others.
# A sticky one is fine above the last: nobody can replace what belongs to us in it. One find looks at all of them.
check_ways() {
  set -- . /;
  for way in "$dir" "$real" "$home"; do
    rest=\${way#/}; at=;
    while [ -n "$rest" ]; do
      at=$at/\${rest%%/*}; set -- "$@" "$at";
      case $rest in */*) rest=\${rest#*/};; *) rest=;; esac;
    done;
  done;
  bad=$(find "$@" -prune \\( ! -user 0 ! -user "$me" -o -type d \\( -perm -020 -o -perm -002 \\) \\( ! -perm -1000 -o -name . \\) \\) -print 2>/dev/null);
  [ -z "$bad" ] || say unsafe way $bad;
};

# Goes to the directory, so that nothing below depends on the way any more, and looks at the file without following.
look() {
  dir=\${path%/*}; name=\${path##*/}; [ -n "$dir" ] || dir=/;
  if [ ! -e "$dir" ]; then
    up=$dir; until [ -e "\${up:-/}" ]; do up=\${up%/*}; done;
    [ -x "\${up:-/}" ] || say denied enter "$me" "\${up:-/}";
    [ "$verb" = read ] && say absent "$marker"; say missing "$dir";
  fi;
  cd -P -- "$dir" 2>/dev/null || say denied enter "$me" "$dir";
  real=$(pwd -P);
  check_ways;
  set -- $(ls -dn "./$name" 2>/dev/null); perm=\${1:-}; links=\${2:-1}; owner=\${3:-}; group=\${4:-}; size=\${5:-0};
  case $perm in
    "") return;;
    -*) present=yes;;
    l*) say unsafe link "$path";;
    *) say unsafe kind "$path";;
  esac;
  [ "$owner" = "$me" ] || say unsafe owner "$owner" "$path";
  case $perm in ???[sS]*|??????[sS]*|?????w*|???????[!-]*|????????[!-]*|?????????[!-]*) say unsafe mode "$perm" "$path";; esac;
  [ "$size" -le ${MAX_FILE_BYTES} ] || say large "$path";
  find_shared;
};
${FIND_SHARED}

# Sets marker; - when there is none.
read_marker() {
  at=$file.order; [ -f "$at" ] || at=$asked.order; [ -f "$at" ] || return 0;
  IFS= read -r marker <"$at" || say unreadable "$at";
};
check_order() {
  read_marker;
  [ "$marker" = - ] && return;
  their_store=\${marker%%.*}; rest=\${marker#*.}; their_epoch=\${rest%%.*}; rest=\${rest#*.}; their_generation=\${rest%%.*};
  their_mark=; case $rest in *.*) their_mark=\${rest#*.};; esac;
  case $their_epoch in ""|*[!0-9]*) say unreadable "$at";; esac;
  case $their_generation in ""|*[!0-9]*) say unreadable "$at";; esac;
  case $their_mark in *[!0-9a-f]*) say unreadable "$at";; esac;
  [ "$their_store" = "$store" ] || say order "$marker";
  [ "$their_epoch" -le "$epoch" ] || say order "$marker";
  [ "$their_epoch" -eq "$epoch" ] || return 0;
  [ "$their_generation" -le "$generation" ] || say order "$marker";
  [ "$their_generation" -lt "$generation" ] || [ -z "$their_mark" ] || [ "$their_mark" = "$mark" ] || say order "$marker";
};

check_state() {
  set -- $(ls -dn "$state" 2>/dev/null);
  case \${1:-} in d[r-][w-]x------*) [ "$3" = "$me" ] || say unsafe owner "$3" "$state";; "") return 1;; *) say unsafe mode "$1" "$state";; esac;
};
need_state() {
  check_state && return;
  why=$(mkdir -m 700 "$state" 2>&1);
  check_state || spoilt "$state" "$why" "denied make $me $home";
};

make_incoming() { incoming=$(mktemp "$file.in.XXXXXXXXXX" 2>&1) || { why=$incoming; incoming=; spoilt "$state" "$why" "lacks mktemp"; }; };

# Waits at most about 10 s: whoever holds the lock has all of its data already.
lock() {
  tries=0;
  if command -v flock >/dev/null 2>&1; then
    why=$({ : >"$file.lock"; } 2>&1) || spoilt "$file.lock" "$why" "denied make $me $state";
    exec 9>"$file.lock";
    until flock -n 9; do pause; done;
    return;
  fi;
  until mkdir "$file.lock.d" 2>/dev/null; do
    # A dead owner's lock is broken by one at a time: while break.d stands, nobody else can have taken the lock anew.
    if mkdir "$file.break.d" 2>/dev/null; then
      pid=$(cat "$file.lock.d/pid" 2>/dev/null);
      [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || rm -rf "$file.lock.d";
      rmdir "$file.break.d";
    fi;
    pause;
  done;
  held=$file.lock.d;
  printf "%s\\n" $$ >"$held/pid";
};
pause() { tries=$((tries + 1)); [ $tries -lt 100 ] || say busy "$file.lock"; sleep 0.1 2>/dev/null || sleep 1; };

check_content() {
  if [ "$present" = no ]; then
    [ -e "./$name" ] && say conflict; [ -L "./$name" ] && say conflict; [ "$expected" = absent ] || say conflict;
    return;
  fi;
  digest_of "./$name"; [ "$sum" = "$expected" ] || say conflict;
};

# Immutable or append-only: found out before anything is marked, without a byte of the value: this truncates nothing.
check_fixed() {
  [ "$present" = no ] || { why=$({ : <>"./$name"; } 2>&1) || case $why in *"Operation not permitted"*) say fixed "$path";; esac; };
  why=$(mv -f "$temp" "$temp-" 2>&1) || spoilt "$real" "$why" "failed rename";
  temp=$temp-;
};

${TAKE_OVER_RIGHTS}
drop_copy() { rm -f "$file.keep" "$file.wrote" "$file.keep.new" "$asked.keep" "$asked.wrote"; };
# Named in "temp" before it holds anything, so that what a crash left is found.
drop_left() {
  [ -f "$file.temp" ] || return 0;
  IFS= read -r left <"$file.temp"; case $left in */*) ;; .lockstep-*) rm -f "./$left" 2>/dev/null; [ ! -e "./$left" ] || say fixed "$real";; esac;
};
# Values at rest that nobody answers for any more: of a crash after an hour, copies after a day.
sweep() {
  find "$state" \\( -name "*.in.*" -o -name "*.keep.new" -o -name "*.new-*" \\) -mmin +60 -exec rm -f {} + 2>/dev/null;
  find "$state" \\( -name "*.keep" -o -name "*.wrote" \\) -mmin +1440 -exec rm -f {} + 2>/dev/null;
};
# The copy is complete before it gets its name, and "wrote" names the content that it may replace.
keep_copy() {
  if [ "$present" = no ] || [ "$keeping" = no ]; then drop_copy; return; fi;
  copy "./$name" "$file.keep.new";
  mv -f "$file.keep.new" "$file.keep" || say failed space;
  put_line "$digest $how" "$file.wrote";
};
raise_marker() {
  case $mark in -) order=$store.$epoch.$generation;; *) order=$store.$epoch.$generation.$mark;; esac;
  put_line "$order" "$file.order.new";
  flush "$file.order.new" $temp;
  mv -f "$file.order.new" "$file.order" || say failed space;
  flush "$state";
};
${WRITE_IN_PLACE}

replace() {
  lock; look; check_order; check_content; check_shared;
  drop_left;
  if [ "$present $how" = "yes in-place" ]; then write_in_place; else put_new; fi;
  [ "$asked" = "$file" ] || rm -f "$asked.order" "$asked.keep" "$asked.wrote";
};
put_new() {
  temp=$(mktemp ./.lockstep-XXXXXXXXXX 2>&1) || { why=$temp; temp=; spoilt "$real" "$why" "denied make $me $real"; };
  put_line "\${temp#./}" "$file.temp";
  check_fixed;
  put_line "\${temp#./}" "$file.temp";
  copy "$incoming" "$temp";
  take_over_rights;
  [ "$keeping" = as-it-is ] || keep_copy;
  raise_marker;
  check_content;
  why=$(mv -f "$temp" "./$name" 2>&1) || spoilt "$real" "$why" "failed rename";
  temp=;
  flush .;
  rm -f "$file.temp";
};

case $verb in
  read)
    [ ! -d "$state" ] || { check_state; read_marker; };
    look;
    [ "$present" = yes ] || say absent "$marker"; [ "$shared" = - ] || marker="$marker $shared";
    [ -r "./$name" ] || say denied read "$me" "$path";
    printf "%s\\n" "lockstep $nonce file $perm $marker"; cat "./$name"; printf "\\n%s\\n" "lockstep $nonce end";;
  write)
    need_state;
    sweep;
    make_incoming;
    why=$({ cat >"$incoming"; } 2>&1) || spoilt "$incoming" "$why" "failed space";
    digest_of "$incoming"; [ "$sum" = "$digest" ] || say short;
    replace;
    say done;;
  restore)
    check_state || say nothing;
    [ -f "$file.keep" ] || say nothing; [ -f "$file.wrote" ] || say nothing;
    make_incoming;
    copy "$file.keep" "$incoming";
    read -r expected how <"$file.wrote"; keeping=as-it-is;
    replace;
    drop_copy;
    say done;;
  kept)
    check_state && [ -f "$file.keep" ] && [ -f "$file.wrote" ] && say kept;
    say nothing;;
  discard)
    check_state || say done;
    lock; drop_copy; sweep;
    [ -f "$file.temp" ] || say done;
    look; drop_left; rm -f "$file.temp";
    say done;;
  *) say failed verb;;
esac;
exit 0
`;

/** One line, without comments: BOOTSTRAP reads one line. */
export const SCRIPT = TEXT.split("\n")
  .map((line) => line.trim())
  .filter((line) => line !== "" && !line.startsWith("#"))
  .join(" ");
