/** How the helper is started, and the form of its requests; see helper-program.ts. */

export const HELPER_FIELDS = [
  "nonce",
  "verb",
  "path",
  "expected",
  "digest",
  "mode",
  "store",
  "epoch",
  "generation",
  "mark",
  "keep",
  "how",
  "size",
] as const;

/** What it serves; the rest is the script's. */
export const HELPER_VERBS: ReadonlySet<string> = new Set(["read", "write", "kept", "discard"]);

const LOADER = `my $size = <STDIN>; $size += 0; read(STDIN, my $program, $size) == $size or exit 1; eval $program; exit 1`;

export const HELPER_SCRIPT =
  ": lockstep 1; umask 077; IFS= read -r nonce; PATH=$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin; " +
  "unset PERL5LIB PERLLIB PERL5OPT PERL5DB PERLIO PERL_UNICODE PERL5SHELL; LC_ALL=C; export LC_ALL; " +
  `if command -v perl >/dev/null 2>&1 && command -v flock >/dev/null 2>&1; then exec perl -e '${LOADER}'; fi; ` +
  'printf "%s\\n" "lockstep $nonce lacks"; exit 0';
