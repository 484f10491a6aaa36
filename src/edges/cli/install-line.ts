/**
 * The line by which a machine gets the agent's program from its server: fetch, compare the digest, and only then run.
 *
 * The digest came over the operator's own line to the server, and a person carries it over. So nothing rests on who
 * answers the fetch. Where the listener's certificate is its own, the pinned key is compared all the same: a stranger's
 * bytes do not even reach the disk, and what is wrong is said as that. No code and no token stands in the line: the
 * program asks for the code.
 */
import { shellCommand } from "../../lib/shell-quote.ts";
import { programPath } from "../../protocol/agent/paths.ts";
import type { ProgramFile } from "../../protocol/agent/program.ts";

export interface ServedAt {
  /** The agents' listener. */
  readonly url: string;
  /** sha256 of its public key (SPKI, DER), base64url; null: its certificate is checked as usual. */
  readonly tlsKeyDigest: string | null;
}

/** For a terminal of whatever shell: `sh` reads it. */
export function installLine({ url, tlsKeyDigest }: ServedAt, { runsOn, sha256 }: ProgramFile): string {
  const isForNode = runsOn === "node";
  const file = isForNode ? "lockstep-agent.cjs" : "lockstep-agent";
  const script = [
    // Below the home directory: /tmp is often mounted so that nothing in it runs.
    'd=$(mktemp -d "$HOME/.lockstep-XXXXXX")',
    `f="$d/${file}"`,
    ["curl -gfsS", ...pin(tlsKeyDigest), `-o "$f" "${url}${programPath(sha256)}"`].join(" "),
    // macOS has the one, Linux the other.
    "s=$(command -v sha256sum || echo shasum -a 256)",
    `echo "${sha256}  $f" | $s -c -`,
    ...(isForNode ? ['node "$f" agent setup'] : ['chmod 700 "$f"', '"$f" agent setup']),
  ].join(" && ");
  return shellCommand(["sh", "-c", `${script}; r=$?; rm -rf "$d"; exit $r`]);
}

function pin(tlsKeyDigest: string | null): readonly string[] {
  if (tlsKeyDigest === null) return [];
  const digest = Buffer.from(tlsKeyDigest, "base64url").toString("base64");
  return ["--insecure", `--pinnedpubkey sha256//${digest}`];
}
