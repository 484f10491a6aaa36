/**
 * How a constant script gets to a host: over stdin, together with its arguments and the data. Nothing stands in argv but
 * BOOTSTRAP, so nothing shows in `ps`, and no login shell (csh, fish) has anything to interpret: BOOTSTRAP holds no quote
 * inside its quotes, no backslash, no `!` and no newline. `script.ts` holds the script that reads and writes files.
 */

/** `read` takes a pipe byte by byte, so whatever follows the first line is left for the script. */
export const BOOTSTRAP = `exec /bin/sh -c 'IFS= read -r l; case $l in ": lockstep 1;"*) eval "$l";; esac; exit 97'`;

/** Exit code of BOOTSTRAP when the first line did not arrive whole: a start file consumed stdin. */
export const BOOTSTRAP_MISSED = 97;

/**
 * Runs a program: its words, quoted, are the third line; what follows on stdin is the program's. The marked lines on
 * both outputs tell what start files print from what the program says, and the process group's id.
 */
export const RUN_SCRIPT = `: lockstep 1; IFS= read -r nonce; IFS= read -r words; printf "%s\\n" "lockstep $nonce $$"; printf "%s\\n" "lockstep $nonce $$" >&2; eval "exec $words"`;

/** Ends a process group; its id is the second line (dash takes `--` after `-s KILL` only). For servers that pass no signals on (OpenSSH for root). */
export const KILL_SCRIPT = `: lockstep 1; IFS= read -r group; kill -s KILL -- "-$group" 2>/dev/null; exit 0`;
