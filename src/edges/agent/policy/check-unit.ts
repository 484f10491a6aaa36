/** Judges the unit that a bundle wants restarted or signalled. A user's unit is another one than the system's. Pure. */
import {
  namedUnit,
  type SystemdName,
  unitLabel,
} from "../../../adapters/placements/activation/systemd-name.ts";
import type { PolicyRefusal } from "../../../protocol/agent/messages.ts";
import type { Policy } from "./policy.ts";
import { lines, refusal } from "./refusal.ts";

export function checkUnit(
  { units }: Pick<Policy, "units">,
  asked: SystemdName,
  isRoot: boolean,
): readonly PolicyRefusal[] {
  const label = unitLabel(namedUnit(asked));
  const what = `unit ${label}`;
  // Root has a manager of its own, which is hardly the one that is meant.
  if (typeof asked !== "string" && isRoot) {
    const reason = "this agent runs as root, and a user's unit belongs to the manager of that user";
    return [refusal(what, reason, "Run an agent as that user on this machine, and name the unit to it.")];
  }
  if (units.some((allowed) => unitLabel(namedUnit(allowed)) === label)) return [];
  const reason = "the policy does not let it be restarted or signalled";
  return [refusal(what, reason, lines({ units: [asked] }))];
}
