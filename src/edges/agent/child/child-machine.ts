/**
 * What happens to the one child of `lockstep run`, as a pure machine: events in, actions out.
 *
 *   down ─start▸ spawning ─spawned▸ starting ─settled▸ running ─exited▸ ended
 *                   ▲                  │ exited            │ changed
 *                   │ retry            ▼                   ▼
 *                 waiting ◂──── (later than the first)  stopping ─exited▸ spawning, or ended when it is to end
 *
 * Promises: `spawn` is asked for only when no child lives; after `end` nothing more is; a child that is told to stop
 * gets a deadline; the newest values win, however many changes come meanwhile.
 *
 * The very first start is the caller's own: where it fails, we end with its exit code, as if it had been called
 * directly. A later start is a change of ours: a failure is reported and tried again, ever more slowly, and after
 * `maxStartFailures` we end with its code, so that whoever supervises us learns of it.
 */
export interface ChildSettings {
  /** What a change does to a running child. A signal is for programs that read files again; its environment stays. */
  readonly onChange: "restart" | "none" | { readonly signal: NodeJS.Signals };
  /** From SIGTERM to SIGKILL. */
  readonly stopTimeoutMs: number;
  /** A child that lives that long has started well. */
  readonly startWindowMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly maxStartFailures: number;
}

export const CHILD_DEFAULTS: ChildSettings = {
  onChange: "restart",
  stopTimeoutMs: 10_000,
  startWindowMs: 3_000,
  minBackoffMs: 1_000,
  maxBackoffMs: 60_000,
  maxStartFailures: 5,
};

type Phase = "down" | "spawning" | "starting" | "running" | "stopping" | "waiting" | "ended";
export type ChildTimer = "settled" | "kill" | "retry";

export interface ChildState {
  readonly phase: Phase;
  /** Digest of the values that the present or last child was started with. */
  readonly digest: string | null;
  readonly wanted: string;
  /** Starts in a row that failed, since values last changed or a child last settled. */
  readonly failures: number;
  readonly isFirst: boolean;
  /** Told to end: no child is started any more. */
  readonly isEnding: boolean;
}

export type ChildEvent =
  | { readonly kind: "start" }
  | { readonly kind: "spawned" }
  /** Its exit code; 128 + number after a signal; 126 or 127 where it could not be executed at all. */
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "changed"; readonly digest: string }
  | { readonly kind: "timer"; readonly timer: ChildTimer }
  /** Somebody sent us this signal. `code`: 128 + its number. */
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals; readonly code: number };

export type ChildAction =
  | { readonly kind: "spawn"; readonly digest: string }
  | { readonly kind: "send"; readonly signal: NodeJS.Signals }
  | { readonly kind: "set-timer"; readonly timer: ChildTimer; readonly ms: number }
  | { readonly kind: "clear-timer"; readonly timer: ChildTimer }
  | { readonly kind: "report"; readonly state: ReportedState; readonly reason: string | null }
  | { readonly kind: "end"; readonly code: number };

/** `kept`: it goes on with the values that it was started with. */
export type ReportedState = "started" | "running" | "failed" | "kept" | "stopped";

export interface ChildStep {
  readonly state: ChildState;
  readonly actions: readonly ChildAction[];
}

const ENDS: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGQUIT"]);

export function newChild(wanted: string): ChildState {
  return { phase: "down", digest: null, wanted, failures: 0, isFirst: true, isEnding: false };
}

export function stepChild(state: ChildState, event: ChildEvent, settings: ChildSettings): ChildStep {
  if (state.phase === "ended") return stay(state);
  switch (event.kind) {
    case "start":
      return state.phase === "down" ? spawn(state) : stay(state);
    case "spawned":
      return state.phase === "spawning" ? started(state, settings) : stay(state);
    case "exited":
      return exited(state, event.code, settings);
    case "changed":
      return changed({ ...state, wanted: event.digest }, settings);
    case "timer":
      return timer(state, event.timer);
    case "signal":
      return signalled(state, event);
  }
}

function started(state: ChildState, settings: ChildSettings): ChildStep {
  if (state.isEnding) return stop(state, settings);
  const starting: ChildStep = {
    state: { ...state, phase: "starting" },
    actions: [report("started"), { kind: "set-timer", timer: "settled", ms: settings.startWindowMs }],
  };
  // The values changed while it was being started.
  return state.wanted === state.digest ? starting : then(starting, (next) => changed(next, settings));
}

function exited(state: ChildState, code: number, settings: ChildSettings): ChildStep {
  switch (state.phase) {
    case "running":
      return end(state, code, report("stopped", describe(code)));
    case "stopping": {
      const cleared: ChildAction = { kind: "clear-timer", timer: "kill" };
      if (state.isEnding) return end(state, code, cleared);
      return then({ state, actions: [cleared] }, spawn);
    }
    case "spawning":
    case "starting":
      return failedToStart(state, code, settings);
    default:
      return stay(state);
  }
}

function failedToStart(state: ChildState, code: number, settings: ChildSettings): ChildStep {
  const cleared: ChildAction = { kind: "clear-timer", timer: "settled" };
  // A program whose work is done ends with 0, however short it was.
  if (state.isEnding || code === 0) return end(state, code, cleared, report("stopped", describe(code)));
  const failed = report("failed", `the program ended during its start: ${describe(code)}`);
  const failures = state.failures + 1;
  if (state.isFirst || failures >= settings.maxStartFailures) return end(state, code, cleared, failed);
  const ms = Math.min(settings.maxBackoffMs, settings.minBackoffMs * 2 ** (failures - 1));
  return {
    state: { ...state, phase: "waiting", failures },
    actions: [cleared, failed, { kind: "set-timer", timer: "retry", ms }],
  };
}

function changed(state: ChildState, settings: ChildSettings): ChildStep {
  if (state.phase === "waiting") {
    const fresh = { ...state, failures: 0 };
    return then({ state: fresh, actions: [{ kind: "clear-timer", timer: "retry" }] }, spawn);
  }
  const isLive = state.phase === "starting" || state.phase === "running";
  if (!isLive || state.isEnding || state.wanted === state.digest) return stay(state);
  const { onChange } = settings;
  if (onChange === "restart") return stop({ ...state, failures: 0 }, settings);
  const kept = report("kept", "the program goes on with the values that it was started with");
  if (onChange === "none") return { state, actions: [kept] };
  return { state, actions: [{ kind: "send", signal: onChange.signal }, kept] };
}

function timer(state: ChildState, name: ChildTimer): ChildStep {
  if (name === "settled" && state.phase === "starting") {
    const settled: ChildState = { ...state, phase: "running", failures: 0, isFirst: false };
    return { state: settled, actions: [report("running")] };
  }
  if (name === "retry" && state.phase === "waiting") return spawn(state);
  if (name === "kill" && state.phase === "stopping") {
    return { state, actions: [{ kind: "send", signal: "SIGKILL" }] };
  }
  return stay(state);
}

function signalled(
  state: ChildState,
  { signal, code }: Extract<ChildEvent, { readonly kind: "signal" }>,
): ChildStep {
  switch (state.phase) {
    case "down":
    case "waiting":
      // There is nobody to pass it on to.
      if (!ENDS.has(signal) && signal !== "SIGHUP") return stay(state);
      return end(state, code, { kind: "clear-timer", timer: "retry" });
    case "spawning":
      return stay(ENDS.has(signal) ? { ...state, isEnding: true } : state);
    default: {
      // A program may live on after SIGINT (a prompt does); one that is being stopped is meant to end by it.
      const isLeaving = state.phase === "stopping" && ENDS.has(signal);
      const isEnding = state.isEnding || isLeaving || signal === "SIGTERM";
      return { state: { ...state, isEnding }, actions: [{ kind: "send", signal }] };
    }
  }
}

function spawn(state: ChildState): ChildStep {
  const digest = state.wanted;
  return { state: { ...state, phase: "spawning", digest }, actions: [{ kind: "spawn", digest }] };
}

function stop(state: ChildState, settings: ChildSettings): ChildStep {
  return {
    state: { ...state, phase: "stopping" },
    actions: [
      { kind: "clear-timer", timer: "settled" },
      { kind: "send", signal: "SIGTERM" },
      { kind: "set-timer", timer: "kill", ms: settings.stopTimeoutMs },
    ],
  };
}

function end(state: ChildState, code: number, ...before: readonly ChildAction[]): ChildStep {
  return { state: { ...state, phase: "ended" }, actions: [...before, { kind: "end", code }] };
}

function stay(state: ChildState): ChildStep {
  return { state, actions: [] };
}

function then({ state, actions }: ChildStep, next: (state: ChildState) => ChildStep): ChildStep {
  const after = next(state);
  return { state: after.state, actions: [...actions, ...after.actions] };
}

function report(state: ReportedState, reason: string | null = null): ChildAction {
  return { kind: "report", state, reason };
}

function describe(code: number): string {
  return code > 128 ? `signal ${code - 128}` : `exit code ${code}`;
}
