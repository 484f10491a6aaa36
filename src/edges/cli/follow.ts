/**
 * Waits for what the server does by itself, and shows how it goes. Ctrl-C or a time that is over end the waiting, not
 * the work: the server moves it, and it is said how to look again.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { RolloutView, TargetView } from "../../protocol/api-views.ts";
import type { Cli } from "./cli.ts";
import type { ApiClient } from "./client.ts";
import { heldText } from "./show/binding-table.ts";
import { phasesText, settlingText, versionsText, wayOut } from "./show/rollout.ts";

export const EXIT_CANNOT_TELL = 4;

const POLL_MS = 500;
/** `deployed` is what most get to. */
const EVIDENCE_WIDTH = 8;

/** Until it has ended, stalls, or nobody wants to wait any longer. */
export async function followRollout(
  cli: Cli,
  api: ApiClient,
  rollout: string,
  timeoutMs: number | undefined,
): Promise<RolloutView> {
  const view = await poll(cli, timeoutMs, {
    look: () => api.call("getRollout", { params: { rollout } }),
    lines: rolloutLines,
    goesOn: ({ state }) => state === "running",
  });
  if (view.state === "running")
    cli.output.note(`The rollout goes on. Look again: lockstep rollout show ${rollout}`);
  if (view.state === "stalled") {
    cli.output.note([`It waits for a repair: ${view.reason ?? ""}`, ...wayOut(view)].join("\n"));
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
  });
  if (targets.some(({ state }) => state === "owed"))
    cli.output.note("The work goes on. Look again: lockstep target list");
  return targets;
}

interface Following<View> {
  readonly look: () => Promise<View>;
  readonly lines: (view: View) => readonly string[];
  readonly goesOn: (view: View) => boolean;
}

async function poll<View>(
  { output, interrupted }: Cli,
  timeoutMs: number | undefined,
  { look, lines, goesOn }: Following<View>,
): Promise<View> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  for (;;) {
    const view = await look();
    output.progress(lines(view));
    if (!goesOn(view) || interrupted.aborted || Date.now() >= deadline) {
      output.endProgress();
      return view;
    }
    await delay(POLL_MS, undefined, { signal: interrupted }).catch(() => undefined);
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
    `${done} of ${targets.length} targets are settled`,
    ...targets
      .filter(({ state }) => state !== "settled")
      .map(({ name, state, error }) => {
        const why = error === null ? "" : `  ${error.code}: ${error.message}`;
        return `  ${name.padEnd(width)}  ${state}${why}`;
      }),
  ];
}
