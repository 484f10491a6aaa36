/** Asks systemctl about one unit: of the system, or of the user that logs in (`--user`). */
import { LockstepError } from "../../../core/errors.ts";
import type { Host, RunResult } from "../../../core/ports/host.ts";
import { lingerRemedy, REACH_USER_MANAGER, whyNoUserManager } from "../../hosts/script/user-manager.ts";
import { type NamedUnit, unitLabel } from "./systemd-name.ts";

const TIMEOUT_MS = 15_000;
/** "$@": a verb, its options, `--` and the unit. */
const USER_SYSTEMCTL = `${REACH_USER_MANAGER}; LC_ALL=C; export LC_ALL; exec systemctl --user "$@"`;

/** Prints `yes`, `no` or `unknown`. loginctl knows no user who neither is logged in nor lingers; his file tells. */
const SHOW_LINGER = [
  'name=$(id -un); shown=$(loginctl show-user "$name" --property=Linger 2>/dev/null)',
  "case $shown in Linger=yes) echo yes; exit;; Linger=no) echo no; exit;; esac",
  '[ ! -e "/var/lib/systemd/linger/$name" ] || { echo yes; exit; }',
  "if command -v loginctl >/dev/null 2>&1; then echo no; else echo unknown; fi",
].join("; ");

/**
 * `words`: the verb and its options. Its exit code is an answer, but for a user's manager that does not answer:
 * TARGET_MISSING where it does not run, TARGET_PERMISSION where it is another user's.
 */
export async function systemctl(
  host: Pick<Host, "run">,
  named: NamedUnit,
  words: readonly string[],
  { timeoutMs = TIMEOUT_MS, privilege = [] }: { timeoutMs?: number; privilege?: readonly string[] },
  signal: AbortSignal,
): Promise<RunResult> {
  const asked = [...words, "--", named.unit];
  if (!named.isUser) return host.run([...privilege, "systemctl", ...asked], { timeoutMs }, signal);
  const result = await host.run(["/bin/sh", "-c", USER_SYSTEMCTL, "sh", ...asked], { timeoutMs }, signal);
  const why = result.exitCode === 0 ? null : whyNoUserManager(result.stderr);
  if (why === null) return result;
  const user = await userNameOn(host, signal);
  if (why === "not-allowed")
    throw new LockstepError(
      "TARGET_PERMISSION",
      `Cannot reach ${unitLabel(named)}: XDG_RUNTIME_DIR leads to another user's manager.`,
      { hint: `Let the session of ${user} set its own, or none.` },
    );
  throw new LockstepError(
    "TARGET_MISSING",
    `Cannot reach ${unitLabel(named)}: the systemd manager of ${user} does not run, because ${user} is not logged in and does not linger.`,
    { hint: lingerRemedy(user) },
  );
}

/** Whether the user's manager goes on after the last logout; null: the host does not say. */
export async function lingers(host: Pick<Host, "run">, signal: AbortSignal): Promise<boolean | null> {
  const { stdout } = await host.run(["/bin/sh", "-c", SHOW_LINGER], { timeoutMs: TIMEOUT_MS }, signal);
  const said = stdout.trim();
  return said === "yes" ? true : said === "no" ? false : null;
}

/** Of the user that asks, for a line to be copied; a strange one is not printed. */
export async function userNameOn(host: Pick<Host, "run">, signal: AbortSignal): Promise<string> {
  const { stdout } = await host.run(["id", "-un"], { timeoutMs: TIMEOUT_MS }, signal);
  const name = stdout.trim();
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(name) ? name : "USER";
}
