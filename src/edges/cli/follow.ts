/**
 * Waits for what the server does by itself, and shows how it goes. Ctrl-C or a time that is over end the waiting, not
 * the work: the server moves it, and it is said how to look again.
 */
import { setTimeout as delay } from "node:timers/promises";
import { LockstepError } from "../../core/errors.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { RolloutView, TargetView } from "../../protocol/api-views.ts";
import type { Cli } from "./cli.ts";
import type { ApiClient } from "./client.ts";
import { heldText } from "./show/binding-table.ts";
import { phasesText, settlingText, versionsText, wayOut } from "./show/rollout.ts";

export const EXIT_CANNOT_TELL = 4;

const POLL_MS = 500;
/** `deployed` is what most get to. */
const EVIDENCE_WIDTH = 8;

/** What was seen last, when the looking itself was interrupted. */
function isInterruption(error: unknown): boolean {
  return error instanceof LockstepError && error.code === "INTERRUPTED";
}

/** Until it has ended, stalls, or nobody wants to wait any longer. */
export async function followRollout(
  cli: Cli,
  api: ApiClient,
  rollout: string,
  timeoutMs: number | undefined,
): Promise<RolloutView> {
  const stillGoesOn = `The rollout goes on. To check again: ${shellCommand(["lockstep", "rollout", "show", rollout])}`;
  const view = await poll(cli, timeoutMs, {
    look: () => api.call("getRollout", { params: { rollout } }),
    lines: rolloutLines,
    goesOn: ({ state }) => state === "running",
    stillGoesOn,
  });
  if (view.state === "running") cli.output.note(stillGoesOn);
  if (view.state === "stalled") {
    cli.output.note(
      [`It waits until somebody fixes the cause: ${view.reason ?? ""}`, ...wayOut(view)].join("\n"),
    );
  }
  return view;
}

/** Until every one of these targets holds what it should, or needs a person. */
export async function followTargets(
  cli: Cli,
  api: ApiClient,
  environments: readonly string[],
  timeoutMs: number | undefined,
): Promise<readonly TargetView[]> {
  const targets = await poll(cli, timeoutMs, {
    look: async () => {
      const answer = await api.call("listTargets");
      return answer.targets.filter(({ environment }) => environments.includes(environment));
    },
    lines: targetLines,
    goesOn: (seen) => seen.some(({ state }) => state === "owed"),
    stillGoesOn: "The work goes on. To check again: lockstep target list",
  });
  if (targets.some(({ state }) => state === "owed"))
    cli.output.note("The work goes on. To check again: lockstep target list");
  return targets;
}

export interface Following<View> {
  readonly look: () => Promise<View>;
  readonly lines: (view: View) => readonly string[];
  readonly goesOn: (view: View) => boolean;
  /** Said where nothing was seen before it was interrupted. */
  readonly stillGoesOn: string;
}

/** Until it does not go on, the time is over or the command is ended: then what was seen last. */
export async function poll<View>(
  { output, interrupted }: Cli,
  timeoutMs: number | undefined,
  { look, lines, goesOn, stillGoesOn }: Following<View>,
): Promise<View> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  let seen: View | undefined;
  for (;;) {
    try {
      seen = await look();
    } catch (error) {
      if (!isInterruption(error)) throw error;
      output.endProgress();
      if (seen !== undefined) return seen;
      output.note(stillGoesOn);
      throw error;
    }
    output.progress(lines(seen));
    if (goesOn(seen) && Date.now() < deadline)
      await delay(POLL_MS, undefined, { signal: interrupted }).catch(() => undefined);
    if (!goesOn(seen) || interrupted.aborted || Date.now() >= deadline) {
      output.endProgress();
      return seen;
    }
  }
}

function rolloutLines(view: RolloutView): readonly string[] {
  const width = Math.max(...view.members.map(({ target }) => target.length), 0);
  const heldWidth = Math.max(
    ...view.members.map((member) => heldText(member.primary, member.fallback).length),
    0,
  );
  const settling = settlingText(view);
  return [
    `${view.secret} ${versionsText(view)}: ${phasesText(view)}`,
    ...(settling === null ? [] : [`  ${settling}`]),
    ...view.members.map((member) => {
      const why = member.waitsFor === null ? "" : `  ${member.waitsFor}`;
      return `  ${member.target.padEnd(width)}  ${heldText(member.primary, member.fallback).padEnd(heldWidth)}  ${(member.evidence ?? "–").padEnd(EVIDENCE_WIDTH)}${why}`.trimEnd();
    }),
  ];
}

function targetLines(targets: readonly TargetView[]): readonly string[] {
  const width = Math.max(...targets.map(({ name }) => name.length), 0);
  const done = targets.filter(({ state }) => state !== "owed").length;
  return [
    `${done} of ${targets.length} targets are done`,
    ...targets
      .filter(({ state }) => state !== "settled")
      .map(({ name, state, error }) => {
        const why = error === null ? "" : `  ${error.code}: ${error.message}`;
        return `  ${name.padEnd(width)}  ${state}${why}`;
      }),
  ];
}
