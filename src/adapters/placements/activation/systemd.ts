/**
 * Restarts a systemd unit. An incarnation is an invocation: systemd gives every start of a unit a fresh id, so what
 * runs under another id than before the request was started after it.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Host, RunResult } from "../../../core/ports/host.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/target.ts";
import type { Activation, Health } from "./config.ts";
import { judgeHealth } from "./health.ts";

const SHOW_TIMEOUT_MS = 15_000;
const PROPERTIES = ["LoadState", "ActiveState", "SubState", "Result", "InvocationID"] as const;
type State = Readonly<Record<(typeof PROPERTIES)[number], string>>;

export function createSystemdActivator(
  host: Host,
  activate: Activation & { readonly systemd: string },
  health: Health | null,
): Activator {
  const unit = activate.systemd;
  return {
    async prepare(_unit, signal) {
      const state = await show(host, unit, signal);
      // Stopped on purpose: the value is stored, and its next start has it.
      const dormant = state.ActiveState === "inactive" && state.Result === "success";
      return { knownIds: state.InvocationID === "" ? [] : [state.InvocationID], dormant };
    },

    async activate(_unit, signal) {
      const argv = [...(await privilege(host, signal)), "systemctl", "restart", "--", unit];
      const result = await host.run(argv, { timeoutMs: activate.timeoutSeconds * 1_000 }, signal);
      if (result.exitCode !== 0) throw refused(unit, result);
      const { InvocationID } = await show(host, unit, signal);
      return { id: InvocationID === "" ? null : InvocationID };
    },

    async follow(asked, signal) {
      const state = await show(host, unit, signal);
      return Promise.all(
        asked.map((one) =>
          judge(unit, state, one.knownIds, () => judgeHealth(host, health, one.requestedAgoMs, signal)),
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

async function show(host: Host, unit: string, signal: AbortSignal): Promise<State> {
  const result = await host.run(
    ["systemctl", "show", `--property=${PROPERTIES.join(",")}`, "--", unit],
    { timeoutMs: SHOW_TIMEOUT_MS },
    signal,
  );
  if (result.exitCode !== 0) {
    throw new LockstepError(
      "UNSUPPORTED",
      `Cannot ask systemd for ${unit}: systemctl ended with ${String(result.exitCode)}.`,
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
    throw new LockstepError("TARGET_MISSING", `Cannot restart ${unit}: the host has no such unit.`, {
      hint: "Check `activate: { systemd: … }`.",
    });
  }
  return state;
}

/** Nothing for root; otherwise sudo without a password, for the one line that `target test` prints. */
async function privilege(host: Host, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await host.run(["id", "-u"], { timeoutMs: SHOW_TIMEOUT_MS }, signal);
  return stdout.trim() === "0" ? [] : ["sudo", "-n"];
}

function refused(unit: string, { exitCode, stderr }: RunResult): LockstepError {
  if (
    /password is required|not allowed|may not run|sudo: .*(?:command not found|required)|Access denied|authentication required/i.test(
      stderr,
    )
  ) {
    return new LockstepError("TARGET_PERMISSION", `Cannot restart ${unit}: the SSH user may not.`);
  }
  return new LockstepError(
    "ACTIVATION_FAILED",
    `${unit} did not start: systemctl ended with ${String(exitCode)}.`,
    {
      hint: `See \`journalctl -u ${unit}\` on the host, repair, then \`lockstep rollout resume\`.`,
    },
  );
}

/** systemd's own words are plain; anything else is not shown. */
function safe(word: string): string {
  return /^[a-z-]{1,40}$/.test(word) ? word : "unknown";
}
