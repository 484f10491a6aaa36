/** A plan for people: what changes, what stands at the places, what needs a choice, and what forbids applying. */

import type { Operations } from "../../../protocol/api.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import { formatProblem } from "../config-file/located.ts";
import { locateProblems } from "../config-file/read-config.ts";
import type { PlanRequest } from "../config-request.ts";
import type { Output } from "../output.ts";
import { showTable } from "../table.ts";
import type { Tone } from "../tone.ts";
import { whereText } from "./binding-table.ts";
import { showDestinations } from "./destinations.ts";

export type Plan = AnswerOf<Operations["plan"]>;
type Place = Plan["places"][number];

export function showPlan(
  output: Output,
  plan: Plan,
  { source, unread }: Pick<PlanRequest, "source" | "unread">,
): void {
  for (const change of plan.changes) output.line(`${SIGNS[change.action]} ${change.text}`);
  if (plan.changes.length === 0) output.line("No changes.");
  showPlaces(output, plan.places);
  showDestinations(output, plan.destinations, source);
  for (const { environment, secret, groups, next } of plan.adoption) {
    output.line();
    output.line(`${environment}/${secret} has no value here yet; places hold:`);
    for (const { label, places } of groups) {
      output.line(
        `  ${label}: ${places.map(({ target, key, role }) => `${target} ${key} (${role})`).join(", ")}`,
      );
    }
    output.line(`  next: ${next}`);
  }
  for (const { secret, target, key } of plan.leftInPlace) {
    output.line(`left in place: ${key} at ${target}, written for ${secret}; --prune deletes it`);
  }
  for (const problem of locateProblems(unread, source))
    output.note(`not compared with the stored credential: ${formatProblem(problem)}`);
  for (const warning of locateProblems(plan.warnings, source))
    output.note(`warning: ${formatProblem(warning)}`);
  if (plan.problems.length === 0) return;
  output.line();
  output.line("This configuration cannot be applied:");
  for (const problem of locateProblems(plan.problems, source)) output.line(`  ${formatProblem(problem)}`);
}

const SIGNS = { create: "+", change: "~", remove: "-", delete: "-", "take-over": "!" } as const;

function showPlaces(output: Output, places: readonly Place[]): void {
  if (places.length === 0) return;
  output.line();
  showTable<Place>(
    output,
    [
      { header: "secret", cell: (place) => place.secret, shrink: true, group: true },
      { header: "target", cell: (place) => place.target, shrink: true },
      { header: "where", cell: whereText, shrink: true },
      { header: "role", cell: (place) => place.role },
      { header: "stands there", cell: (place) => placeText(place), tone: placeTone, below: true },
    ],
    places,
  );
}

function placeText({ place, wantedVersion, overwritten }: Place): string {
  const lost = overwritten ? ", will be overwritten" : "";
  switch (place.state) {
    case "equal":
      return `v${place.version}, equal`;
    case "would-set":
      return `${place.now}${place.why === undefined ? "" : ` (${place.why})`}; v${wantedVersion} will be set`;
    case "foreign":
      return `a value that Lockstep does not know${lost === "" ? "; stays unless --take-over" : lost}`;
    case "reference":
      return `a reference to another place${lost === "" ? "; stays unless --take-over" : lost}`;
    case "unreadable":
      return `cannot be read: ${place.reason}${lost}`;
    case "drifted":
      return `changed by somebody since (${place.now})${lost}`;
    case "absent":
      return place.why === undefined ? "nothing" : `nothing: ${place.why}`;
    case "value":
      return `a value (${place.group})`;
    case "cannot-hold":
      return `cannot hold what the secret has: ${place.reason} ${place.hint}`;
    case "not-asked":
      return "not asked before apply; ask now with --ask-new";
    case "cannot-tell":
      return `cannot tell: ${place.reason} ${place.hint}`;
  }
}

function placeTone({ place }: Place): Tone | null {
  if (place.state === "equal") return "good";
  if (place.state === "cannot-tell" || place.state === "cannot-hold" || place.state === "drifted")
    return "bad";
  return ["foreign", "unreadable", "reference", "not-asked"].includes(place.state) ? "warn" : null;
}
