/** How what stands at a place came to differ, in words. Pure. */
import { isElsewhere, REFERENCE_REASON } from "../reconcile/plan-change.ts";
import type { BindingCase } from "./case.ts";
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
  if (isReference(binding)) return "since then somebody replaced it with a reference to another variable";
  const almost = nearly(binding);
  if (almost !== null && isElsewhere(almost))
    return `since then somebody put another secret's value there: ${almost}`;
  return almost === null
    ? "since then a person or another program changed it, without Lockstep"
    : `since then somebody wrote it again, but not exactly: ${almost}`;
}

/** Healing never fights: a second writer has to be found by a person. */
export function againstText({ healsInVain }: TargetFacts): string {
  return healsInVain === 0
    ? ""
    : ` Lockstep healed it ${healsInVain} times within the last hour, and each time it was changed again. Lockstep has stopped healing it: another program writes there. Find that program first.`;
}

/** Only a person knows which of two values is right; what an agent sees it does not tell. */
export function adoptText({ secret, binding, target }: BindingCase, commands: Commands): string {
  const isReadable = binding.found === "unknown" && binding.foundReason === null && target.kind !== "agent";
  return isReadable && secret.token === null
    ? ` If the value there is the right one, import it: \`${commands.import(secret, target.name)}\`.`
    : "";
}

export function foreignText(binding: BindingFacts): string {
  if (isReference(binding)) return "The place holds a reference to another variable";
  const almost = nearly(binding);
  if (almost !== null && isElsewhere(almost)) return `The place holds another secret's value (${almost})`;
  return almost === null
    ? "Lockstep does not know the value there"
    : `The value there is not exact (${almost})`;
}
