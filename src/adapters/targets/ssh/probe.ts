/** `target test` for a host: reaches it, logs in, looks at each file, and at the right to restart. Changes nothing. */
import { toLockstepError } from "../../../core/errors.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { ProbeCheck, ProbeResult } from "../../../core/ports/target.ts";
import type { SshConfig } from "./config.ts";

const TIMEOUT_MS = 15_000;

export async function probe(host: Host, config: SshConfig, signal: AbortSignal): Promise<ProbeResult> {
  const checks: ProbeCheck[] = [];
  const run = async (name: string, work: () => Promise<string>): Promise<boolean> => {
    try {
      checks.push({ name, ok: true, message: await work() });
      return true;
    } catch (error) {
      const { message, hint } = toLockstepError(error);
      checks.push({ name, ok: false, message: `${message} ${hint}` });
      return false;
    }
  };
  const { user } = config.ssh;
  const reached = await run("login", async () => {
    await host.run(["true"], { timeoutMs: TIMEOUT_MS }, signal);
    return `logged in as ${user}, the host key is the pinned one`;
  });
  if (reached) {
    for (const file of config.files) {
      await run(`file ${file.path}`, async () => {
        const { state } = await host.read(file.path, signal);
        return state === "present" ? "can be read and is safe" : "does not exist yet; it will be made";
      });
    }
    if (config.activate?.systemd !== undefined)
      await probeSystemd(host, config.activate.systemd, user, checks, signal);
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}

/** Asks sudo whether it would, without doing it; prints the one line that is needed. */
async function probeSystemd(
  host: Host,
  unit: string,
  user: string,
  checks: ProbeCheck[],
  signal: AbortSignal,
): Promise<void> {
  const name = `restart ${unit}`;
  try {
    const id = await host.run(["id", "-u"], { timeoutMs: TIMEOUT_MS }, signal);
    if (id.stdout.trim() === "0") {
      checks.push({
        name,
        ok: true,
        message: "the SSH user is root; a user of its own with one sudo line is safer",
      });
      return;
    }
    const argv = ["sudo", "-n", "-l", "systemctl", "restart", "--", unit];
    const { exitCode } = await host.run(argv, { timeoutMs: TIMEOUT_MS }, signal);
    if (exitCode === 0) checks.push({ name, ok: true, message: "sudo allows it without a password" });
    else {
      const line = `${user} ALL=(root) NOPASSWD: /usr/bin/systemctl restart -- ${unit}`;
      checks.push({
        name,
        ok: false,
        message: `sudo does not allow it. Add this line with \`visudo -f /etc/sudoers.d/lockstep\`: ${line}`,
      });
    }
  } catch (error) {
    checks.push({ name, ok: false, message: toLockstepError(error).message });
  }
}
