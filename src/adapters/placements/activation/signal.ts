/**
 * Tells a running process to read its files again. The process stays the same, and nothing shows whether it obeyed:
 * evidence stays `stored`. A process that dies of the signal did not know it; that is a failure.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { Activation, Health } from "./config.ts";
import { judgeHealth } from "./health.ts";
import { findJob, lifeOf, userId } from "./launchctl.ts";
import { processIn } from "./pid-file.ts";
import { unitName } from "./systemd-name.ts";

const TIMEOUT_MS = 15_000;

type Wanted = NonNullable<Activation["signal"]>;

/** Its process, or null where none runs. */
interface Receiver {
  readonly life: string | null;
  readonly send: readonly string[];
}

export function createSignalActivator(
  host: Host,
  { signal: wanted }: Activation & { readonly signal: Wanted },
  health: Health | null,
): Activator {
  return {
    async prepare(_unit, signal) {
      const { life } = await receiverOf(host, wanted, signal);
      return { knownIds: life === null ? [] : [life], dormant: life === null };
    },

    async activate(_unit, signal) {
      const { life, send } = await receiverOf(host, wanted, signal);
      if (life === null) throw notDelivered(wanted, "no process of it runs");
      const { exitCode } = await host.run(send, { timeoutMs: TIMEOUT_MS }, signal);
      if (exitCode !== 0) throw notDelivered(wanted, "the signal was refused");
      return { id: life };
    },

    async follow(asked, signal) {
      const { life } = await receiverOf(host, wanted, signal);
      return Promise.all(
        asked.map(async ({ id, requestedAgoMs }): Promise<ActivationProgress> => {
          if (id === null)
            return {
              state: "not-started",
              reason: "whether the signal was sent is not known; it is sent again",
            };
          if (life === null) return { state: "failed", id, reason: `the process ended after ${wanted.name}` };
          const unhealthy = await judgeHealth(host, health, requestedAgoMs, signal);
          if (unhealthy !== null) return unhealthy;
          // Another life: it started anew after the file was written, which proves more than a signal.
          const restarted = life !== id;
          const [pid = "0", startedAt = ""] = life.split("@");
          const incarnation = { pid: Number(pid), startedAt };
          return { state: "succeeded", id: life, incarnation, ...(restarted ? {} : { evidence: "stored" }) };
        }),
      );
    },
  };
}

async function receiverOf(host: Host, wanted: Wanted, signal: AbortSignal): Promise<Receiver> {
  const { unit, pidFile = "", name } = wanted;
  if (unit === undefined) {
    const found = await processIn(host, pidFile, signal);
    return found === null
      ? { life: null, send: [] }
      : { life: found.life, send: ["kill", "-s", name, found.pid] };
  }
  return unitName.safeParse(unit).success
    ? systemdReceiver(host, unit, name, signal)
    : launchdReceiver(host, unit, name, signal);
}

async function systemdReceiver(
  host: Host,
  unit: string,
  name: string,
  signal: AbortSignal,
): Promise<Receiver> {
  const show = ["systemctl", "show", "--property=LoadState,MainPID", "--", unit];
  const { exitCode, stdout } = await host.run(show, { timeoutMs: TIMEOUT_MS }, signal);
  if (exitCode !== 0)
    throw new LockstepError(
      "UNSUPPORTED",
      `Cannot ask systemd for ${unit}: systemctl ended with ${String(exitCode)}.`,
    );
  if (/^LoadState=not-found$/m.test(stdout))
    throw new LockstepError("TARGET_MISSING", `Cannot signal ${unit}: the host has no such unit.`);
  const pid = /^MainPID=([1-9][0-9]*)$/m.exec(stdout)?.[1];
  const privilege = (await userId(host, signal)) === "0" ? [] : ["sudo", "-n"];
  return {
    life: pid === undefined ? null : await lifeOf(host, pid, signal),
    send: [...privilege, "systemctl", "kill", "--kill-who=main", `--signal=${name}`, "--", unit],
  };
}

async function launchdReceiver(
  host: Host,
  label: string,
  name: string,
  signal: AbortSignal,
): Promise<Receiver> {
  const found = await findJob(host, label, signal);
  if (!found.loaded) return { life: null, send: [] };
  const { domain, life } = found.job;
  const isOwn = domain !== "system" || (await userId(host, signal)) === "0";
  return {
    life,
    send: [...(isOwn ? [] : ["sudo", "-n"]), "launchctl", "kill", `SIG${name}`, `${domain}/${label}`],
  };
}

function notDelivered({ name, unit, pidFile }: Wanted, why: string): LockstepError {
  return new LockstepError("ACTIVATION_FAILED", `Cannot send ${name} to ${unit ?? pidFile ?? ""}: ${why}.`);
}
