/**
 * Restarts a launchd job. An incarnation is a process: its number and when it started.
 *
 * `launchctl kickstart -k` starts the job as launchd loaded it: after a change of the plist itself it would come up
 * with the old environment for ever. Where one of the target's files is a plist, the job is therefore taken out and
 * loaded anew. Between the two it does not exist, so one constant script does both, waits until launchd has let go of
 * the label (a `bootstrap` before that fails with 5, "Input/output error"), and goes on when its caller is gone.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { Activation, Health } from "./config.ts";
import { judgeHealth } from "./health.ts";
import { type FoundJob, findJob, type LaunchdJob, userId } from "./launchctl.ts";

/** $1: domain, $2: label, $3: plist. Ends with bootstrap's own last exit code. About 15 s at most. */
const RELOAD = [
  'launchctl bootout "$1/$2" 2>/dev/null',
  'n=0; while launchctl print "$1/$2" >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 50 ] || exit 98; sleep 0.2; done',
  'n=0; until launchctl bootstrap "$1" "$3" 2>/dev/null; do e=$?; n=$((n+1)); [ $n -lt 10 ] || exit $e; sleep 0.5; done',
].join("; ");

export function createLaunchdActivator(
  host: Host,
  activate: Activation & { readonly launchd: string; readonly plistChanges: boolean },
  health: Health | null,
): Activator {
  const { launchd: label, plistChanges } = activate;
  return {
    async prepare(_unit, signal) {
      const found = await findJob(host, label, signal);
      if (!found.loaded) return { knownIds: [], dormant: true };
      const { life, lastExit } = found.job;
      // What waits for its hour gets the new value then; a changed plist must be loaded for that first.
      const dormant = life === null && !plistChanges && (lastExit === null || lastExit === "0");
      return { knownIds: life === null ? [] : [life], dormant };
    },

    async activate(_unit, signal) {
      const found = await findJob(host, label, signal);
      const argv = await startWords(host, label, found, plistChanges, signal);
      const { exitCode } = await host.run(argv, { timeoutMs: activate.timeoutSeconds * 1_000 }, signal);
      if (exitCode !== 0) throw refused(label, exitCode);
      const after = await findJob(host, label, signal);
      return { id: after.loaded ? after.job.life : null };
    },

    async follow(asked, signal) {
      const found = await findJob(host, label, signal);
      return Promise.all(
        asked.map((one) =>
          judge(found, one.knownIds, () => judgeHealth(host, health, one.requestedAgoMs, signal)),
        ),
      );
    },
  };
}

async function startWords(
  host: Host,
  label: string,
  found: FoundJob,
  plistChanges: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { domain, path } = found.loaded ? found.job : found;
  const isOwn = domain !== "system" || (await userId(host, signal)) === "0";
  const reloads = !found.loaded || (plistChanges && path !== null);
  if (!reloads) {
    return [...(isOwn ? [] : ["sudo", "-n"]), "launchctl", "kickstart", "-k", `${domain}/${label}`];
  }
  // sudo would have to allow a shell: nobody should.
  if (isOwn && path !== null) return ["/bin/sh", "-c", RELOAD, "sh", domain, label, path];
  throw new LockstepError(
    "TARGET_PERMISSION",
    `Cannot load ${label} anew: only root may, in the system domain.`,
    {
      hint: "Run the agent of this host as root, or move the job to the user's LaunchAgents.",
    },
  );
}

async function judge(
  found: FoundJob,
  knownIds: readonly string[],
  healthy: () => Promise<ActivationProgress | null>,
): Promise<ActivationProgress> {
  if (!found.loaded) return { state: "not-started", reason: "launchd does not have the job loaded" };
  const { life, lastExit, state } = found.job;
  if (life === null) return withoutProcess(state, lastExit);
  if (knownIds.includes(life)) return { state: "not-started", reason: "the job still runs as it did before" };
  return (await healthy()) ?? { state: "succeeded", id: life, incarnation: incarnationOf(life) };
}

function withoutProcess(state: LaunchdJob["state"], lastExit: string | null): ActivationProgress {
  if (lastExit === null) {
    if (/spawn|start/.test(state))
      return { state: "running", id: null, reason: "launchd is starting the job" };
    return { state: "dormant", reason: "the job is loaded, and launchd has had no reason to start it yet" };
  }
  const how = /^-?[0-9]{1,10}$/.test(lastExit) ? lastExit : "a signal";
  if (/spawn scheduled/.test(state)) {
    return { state: "failed", id: null, reason: `the job keeps dying (last exit: ${how})` };
  }
  return { state: "failed", id: null, reason: `the job stopped after its start (last exit: ${how})` };
}

function incarnationOf(life: string): { readonly pid: number; readonly startedAt: string } {
  const [pid = "0", startedAt = ""] = life.split("@");
  return { pid: Number(pid), startedAt };
}

function refused(label: string, exitCode: number | null): LockstepError {
  // Operation not permitted, and sudo's own refusal.
  if (exitCode === 1 || exitCode === 150) {
    return new LockstepError("TARGET_PERMISSION", `Cannot restart ${label}: the user may not.`, {
      hint: `Try it by hand on the host: launchctl kickstart -k …/${label}`,
    });
  }
  return new LockstepError(
    "ACTIVATION_FAILED",
    `${label} did not start: launchctl ended with ${String(exitCode)}.`,
    {
      hint: "See the job's own log and `plutil -lint` of its plist on the host, repair, then `lockstep rollout resume`.",
    },
  );
}
