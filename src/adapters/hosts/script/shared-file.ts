/**
 * Files that have more than the one name by which they are written: hard links, and mounts of a single file (into a
 * container, most often). A new file in place of the old one leaves what the other name leads to as it was. So such a
 * file is refused, unless the configuration says what is meant: `in-place`, every name shows the new content; `replace`,
 * further names keep the old content (a backup by hard links wants that), which a mount does not allow.
 *
 * Pieces of the script and of the helper; both know of their own mounts alone. Who mounted the file elsewhere, in a
 * container of this machine, is looked for by `target test`.
 */

/**
 * `shared`: links, mount or -. Linux tells mounts in /proc, with blanks and backslashes in octal; elsewhere a mount shows
 * itself when the new file should take its place ("resource busy").
 */
export const FIND_SHARED = `
find_shared() {
  [ "$links" -le 1 ] 2>/dev/null || shared=links;
  [ -r /proc/self/mountinfo ] || return 0;
  at=\${real%/}/$name;
  case $at in *[\\\\\\ ]*) at=$(printf %s "$at" | sed "s/[\\\\\\\\]/\\\\\\\\134/g; s/ /\\\\\\\\040/g");; esac;
  while read -r was up of root point rest; do [ "$point" != "$at" ] || shared=mount; done </proc/self/mountinfo;
};
check_shared() {
  case $shared.$how in -.*|*.in-place|links.replace) ;; *) say shared "$shared" "$path";; esac;
  [ -e "$file.was" ] || return 0;
  digest_of "$file.was"; [ "$sum" = "$expected" ] || say half "$file.was" "$path";
  rm -f "$file.was";
};
`;

/**
 * Writing over the file's own bytes. What stood there is kept whole in <key>.was until the new content stands there whole:
 * a failure puts it back, a crash leaves it, and then nothing is written before a person has looked. Never empty in
 * between: the bytes are overwritten first, and the length cut last.
 */
export const WRITE_IN_PLACE = `
put_over() {
  why=$(dd if="$1" of="./$name" bs=65536 conv=notrunc 2>&1) || return 1;
  why=$(dd if=/dev/null of="./$name" bs=1 seek=$(($(wc -c <"$1"))) count=0 2>&1) || return 1;
  flush "./$name";
  digest_of "$1"; whole=$sum; digest_of "./$name"; [ "$sum" = "$whole" ];
};
write_in_place() {
  why=$({ : <>"./$name"; } 2>&1) || spoilt "./$name" "$why" "failed over";
  [ "$keeping" = as-it-is ] || keep_copy;
  copy "./$name" "$file.was.new-"; flush "$file.was.new-";
  raise_marker;
  check_content;
  mv -f "$file.was.new-" "$file.was" || say failed space;
  flush "$state";
  if put_over "$incoming"; then rm -f "$file.was"; return; fi;
  said=$why;
  put_over "$file.was" || say half "$file.was" "$path";
  rm -f "$file.was";
  spoilt "./$name" "$said" "failed over";
};
`;

/** For the helper: `$shared`, from the number of names that the file in `$real` has. */
export const HELPER_FIND_SHARED = String.raw`
sub find_shared {
  my $links = shift; my $at = ($real eq "/" ? "" : $real) . "/$name";
  $at =~ s/([\\ \t])/sprintf "\\%03o", ord $1/ge;
  my $found = $links > 1 ? "links" : "-";
  if (open my $mounts, "<", "/proc/self/mountinfo") {
    while (<$mounts>) { $found = "mount" if (split / /)[4] eq $at; }
  }
  return $found;
}
`;
