/**
 * Restarts a systemd unit, of the system or of the user that logs in. An incarnation is an invocation: systemd gives every start of a unit a fresh id, so what
 * runs under another id than before the request was started after it.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { Host, RunResult } from "../../../core/ports/host.ts";
import type { Activation, Health } from "./config.ts";
import { judgeHealth } from "./health.ts";
import { userId } from "./launchctl.ts";
import { systemctl } from "./systemctl.ts";
import { type NamedUnit, namedUnit, type SystemdName, unitLabel } from "./systemd-name.ts";

const PROPERTIES = ["LoadState", "ActiveState", "SubState", "Result", "InvocationID"] as const;
type State = Readonly<Record<(typeof PROPERTIES)[number], string>>;

export function createSystemdActivator(
  host: Host,
  activate: Activation & { readonly systemd: SystemdName },
  health: Health | null,
): Activator {
  const named = namedUnit(activate.systemd);
  return {
    async prepare(_unit, signal) {
      const state = await showUnit(host, named, signal);
      // Stopped on purpose: the value is stored, and its next start has it.
      const dormant = state.ActiveState === "inactive" && state.Result === "success";
      return { knownIds: state.InvocationID === "" ? [] : [state.InvocationID], dormant };
    },

    async activate(_unit, signal) {
      const privilege = await privilegeFor(host, named, signal);
      const options = { timeoutMs: activate.timeoutSeconds * 1_000, privilege };
      const result = await systemctl(host, named, ["restart"], options, signal);
      if (result.exitCode !== 0) throw refused(named, result);
      const { InvocationID } = await showUnit(host, named, signal);
      return { id: InvocationID === "" ? null : InvocationID };
    },

    async follow(asked, signal) {
      const state = await showUnit(host, named, signal);
      return Promise.all(
        asked.map((one) =>
          judge(named.unit, state, one.knownIds, () => judgeHealth(host, health, one.requestedAgoMs, signal)),
        ),
      );
    },
  };
}

async function judge(
  unit: string,
  state: State,
  knownIds: readonly string[],
  healthy: () => Promise<ActivationProgress | null>,
): Promise<ActivationProgress> {
  const id = state.InvocationID;
  if (state.ActiveState === "failed")
    return { state: "failed", id, reason: `the unit failed (${safe(state.Result)})` };
  if (
    state.ActiveState === "activating" ||
    state.ActiveState === "deactivating" ||
    state.ActiveState === "reloading"
  ) {
    // Between two tries of `Restart=` a unit is `activating (auto-restart)`: it dies again and again.
    if (state.SubState === "auto-restart")
      return { state: "failed", id, reason: `the unit keeps dying (${safe(state.Result)})` };
    return { state: "running", id, reason: `the unit is ${state.ActiveState}` };
  }
  if (knownIds.includes(id)) return { state: "not-started", reason: "the unit still runs as it did before" };
  if (state.ActiveState !== "active")
    return { state: "failed", id, reason: "the unit stopped after its start" };
  // A timer, a socket or a target starts anew without the service that belongs to it.
  const evidence = unit.endsWith(".service") ? {} : ({ evidence: "stored" } as const);
  return (await healthy()) ?? { state: "succeeded", id, incarnation: { invocation: id }, ...evidence };
}

/** Throws UNSUPPORTED where systemd cannot be asked, TARGET_MISSING where it has no such unit or a user's does not run. */
export async function showUnit(host: Host, named: NamedUnit, signal: AbortSignal): Promise<State> {
  const label = unitLabel(named);
  const result = await systemctl(host, named, ["show", `--property=${PROPERTIES.join(",")}`], {}, signal);
  if (result.exitCode !== 0) {
    throw new LockstepError(
      "UNSUPPORTED",
      `Cannot ask systemd for ${label}: systemctl ended with ${String(result.exitCode)}.`,
      {
        hint: "Check that the host runs systemd, or use `activate: { command: […] }`.",
      },
    );
  }
  const lines = new Map(
    result.stdout.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const state = Object.fromEntries(PROPERTIES.map((name) => [name, lines.get(name) ?? ""])) as State;
  if (state.LoadState === "not-found") {
    const whose = named.isUser ? "the manager of the user that logs in" : "the host";
    throw new LockstepError("TARGET_MISSING", `Cannot restart ${label}: ${whose} has no such unit.`, {
      hint: named.isUser
        ? "Check `activate: { systemd: { unit: …, user: true } }`; this shows that user's: systemctl --user list-unit-files"
        : "Check `activate: { systemd: … }`; a user's own unit is `{ unit: …, user: true }`.",
    });
  }
  return state;
}

/** Nothing for root and for one's own manager; otherwise sudo without a password, for the one line that `target test` prints. */
async function privilegeFor(
  host: Host,
  { isUser }: NamedUnit,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return isUser || (await userId(host, signal)) === "0" ? [] : ["sudo", "-n"];
}

function refused(named: NamedUnit, { exitCode, stderr }: RunResult): LockstepError {
  const label = unitLabel(named);
  if (
    /password is required|not allowed|may not run|sudo: .*(?:command not found|required)|Access denied|authentication required/i.test(
      stderr,
    )
  ) {
    return new LockstepError("TARGET_PERMISSION", `Cannot restart ${label}: the SSH user may not.`);
  }
  return new LockstepError(
    "ACTIVATION_FAILED",
    `${label} did not start: systemctl ended with ${String(exitCode)}.`,
    {
      hint: `See \`journalctl ${named.isUser ? "--user " : ""}-u ${named.unit}\` on the host, repair, then \`lockstep rollout resume\`.`,
    },
  );
}

/** systemd's own words are plain; anything else is not shown. */
function safe(word: string): string {
  return /^[a-z-]{1,40}$/.test(word) ? word : "unknown";
}
