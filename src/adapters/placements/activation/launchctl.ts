/**
 * Asks launchd for a job, through `launchctl print` (launchctl(1)). Its text is documented as not being an interface,
 * so only four lines of it are used, each of which has stood there from OS X 10.10 on: `state`, `pid`, `path` and
 * `last exit code`, at the first level of indentation.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Host, RunResult } from "../../../core/ports/host.ts";

const TIMEOUT_MS = 15_000;
/** Exit codes are xpc's: no such process, no such domain, no such service. */
const NOT_THERE = [3, 112, 113];
const NO_PROGRAM = 127;

/** Says where the label's plist lies, when nothing of it is loaded. $1: the label. */
const FIND_PLIST =
  'for p in "$HOME/Library/LaunchAgents/$1.plist" "/Library/LaunchAgents/$1.plist" "/Library/LaunchDaemons/$1.plist"; do [ -f "$p" ] && { printf "%s" "$p"; exit 0; }; done; exit 1';

export interface LaunchdJob {
  /** `gui/501`, `user/501` or `system`. */
  readonly domain: string;
  /** Its plist; null when launchd was given none. */
  readonly path: string | null;
  readonly state: string;
  /** `<pid>@<start time>`; null while no process runs. */
  readonly life: string | null;
  /** Null when it never ended. */
  readonly lastExit: string | null;
}

export type FoundJob =
  | { readonly loaded: true; readonly job: LaunchdJob }
  | { readonly loaded: false; readonly domain: string; readonly path: string };

/** TARGET_MISSING where there is neither the job nor its plist. */
export async function findJob(host: Host, label: string, signal: AbortSignal): Promise<FoundJob> {
  const user = await userId(host, signal);
  const domains = user === "0" ? ["system"] : [`gui/${user}`, `user/${user}`, "system"];
  for (const domain of domains) {
    const result = await host.run(
      ["launchctl", "print", `${domain}/${label}`],
      { timeoutMs: TIMEOUT_MS },
      signal,
    );
    if (result.exitCode === 0) return { loaded: true, job: await readJob(host, domain, result, signal) };
    if (result.exitCode === null || !NOT_THERE.includes(result.exitCode)) throw unusable(label, result);
  }
  const found = await host.run(["/bin/sh", "-c", FIND_PLIST, "sh", label], { timeoutMs: TIMEOUT_MS }, signal);
  const path = found.stdout.trim();
  if (found.exitCode !== 0 || path === "") {
    throw new LockstepError(
      "TARGET_MISSING",
      `Cannot restart ${label}: launchd has no such job, and no plist of it was found.`,
      {
        hint: "Check `activate: { launchd: … }`; `launchctl list` shows the labels.",
      },
    );
  }
  return {
    loaded: false,
    domain: path.startsWith("/Library/LaunchDaemons/") ? "system" : (domains[0] ?? "system"),
    path,
  };
}

export async function userId(host: Host, signal: AbortSignal): Promise<string> {
  const { stdout } = await host.run(["id", "-u"], { timeoutMs: TIMEOUT_MS }, signal);
  return stdout.trim();
}

async function readJob(
  host: Host,
  domain: string,
  { stdout }: RunResult,
  signal: AbortSignal,
): Promise<LaunchdJob> {
  const lines = firstLevel(stdout);
  const pid = /^[1-9][0-9]{0,9}$/.exec(lines.get("pid") ?? "")?.[0];
  const exit = lines.get("last exit code");
  return {
    domain,
    path: lines.get("path")?.startsWith("/") === true ? (lines.get("path") ?? null) : null,
    state: lines.get("state") ?? "unknown",
    life: pid === undefined ? null : await lifeOf(host, pid, signal),
    lastExit: exit === undefined || exit.startsWith("(never") ? null : exit,
  };
}

/** Deeper lines repeat the same words about endpoints and triggers; an environment's lines say `=>`. */
function firstLevel(text: string): ReadonlyMap<string, string> {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? "\t";
  const lines = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] =
      /^([a-z][a-z ]*) = (.*)$/.exec(line.startsWith(indent) ? line.slice(indent.length) : "") ?? [];
    if (name !== undefined && value !== undefined && !lines.has(name)) lines.set(name, value.trim());
  }
  return lines;
}

/** A number alone may be another process's later. Null when it ended meanwhile. */
export async function lifeOf(host: Host, pid: string, signal: AbortSignal): Promise<string | null> {
  const argv = ["/usr/bin/env", "LC_ALL=C", "TZ=UTC", "ps", "-o", "lstart=", "-p", pid];
  const { exitCode, stdout } = await host.run(argv, { timeoutMs: TIMEOUT_MS }, signal);
  const startedAt = stdout.trim().replaceAll(/\s+/g, " ");
  return exitCode === 0 && /^[A-Za-z0-9: ]{10,40}$/.test(startedAt) ? `${pid}@${startedAt}` : null;
}

function unusable(label: string, { exitCode }: RunResult): LockstepError {
  const why =
    exitCode === NO_PROGRAM ? "the host has no launchctl" : `launchctl ended with ${String(exitCode)}`;
  return new LockstepError("UNSUPPORTED", `Cannot ask launchd for ${label}: ${why}.`, {
    hint: "Check that the host runs macOS, or use `activate: { command: […] }`.",
  });
}
