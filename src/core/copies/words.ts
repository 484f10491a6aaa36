/** Copies in words. Pure. */
import type { CopyKind, FoundCopy } from "../ports/copies.ts";

const KINDS: Readonly<Record<CopyKind, string>> = {
  unit: "Environment= in",
  "environment-file": "the environment file",
  plist: "the job",
  compose: "`environment` in",
  file: "",
};

/** Where it is: `Environment= in /etc/systemd/system/app.service, line 7`. */
export function copyText({ kind, file, line }: Pick<FoundCopy, "kind" | "file" | "line">): string {
  const at = line === null ? "" : `, line ${line}`;
  return `${KINDS[kind]} ${file}${at}`.trim();
}

export function holdsText({ version }: Pick<FoundCopy, "version">): string {
  return version === null ? "a value that Lockstep does not know" : `v${version}`;
}
