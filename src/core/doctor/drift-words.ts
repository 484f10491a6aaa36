/** How what stands at a place came to differ, in words. Pure. */
import { isElsewhere, REFERENCE_REASON } from "../reconcile/plan-change.ts";
import type { Case } from "./binding-finding.ts";
import type { Commands } from "./commands.ts";
import type { BindingFacts, TargetFacts } from "./facts.ts";

export function isReference({ found, foundReason }: BindingFacts): boolean {
  return found === "unknown" && foundReason === REFERENCE_REASON;
}

/** `it is v5 in quotes`; null: it is nothing of ours, as far as is known. */
export function nearly({ found, foundReason }: BindingFacts): string | null {
  return found === "unknown" && foundReason !== REFERENCE_REASON ? foundReason : null;
}

export function changedText(binding: BindingFacts): string {
  if (isReference(binding)) return "somebody put a reference to another variable in its place";
  const almost = nearly(binding);
  if (almost !== null && isElsewhere(almost)) return `somebody put another secret's value there: ${almost}`;
  return almost === null
    ? "somebody or another program changed it since, around Lockstep"
    : `somebody wrote it anew since, and not as it is: ${almost}`;
}

/** Healing never fights: a second writer has to be found by a person. */
export function againstText({ healsInVain }: TargetFacts): string {
  return healsInVain === 0
    ? ""
    : ` It was healed ${healsInVain} times within the last hour and changed again each time, so that is left alone now: something else writes there. Find it first.`;
}

/** Only a person knows which of two values is right; what an agent sees it does not tell. */
export function adoptText({ secret, binding, target }: Case, commands: Commands): string {
  const isReadable = binding.found === "unknown" && binding.foundReason === null && target.kind !== "agent";
  return isReadable && secret.token === null
    ? ` If it is the right one, take it over from there: \`${commands.import(secret, target.name)}\`.`
    : "";
}

export function foreignText(binding: BindingFacts): string {
  if (isReference(binding)) return "A reference to another variable stands there";
  const almost = nearly(binding);
  if (almost !== null && isElsewhere(almost)) return `Another secret's value stands there (${almost})`;
  return almost === null
    ? "The value there was never ours"
    : `The value there is not as it should be (${almost})`;
}
