import { toLockstepError } from "./errors.ts";
import type { ProbeCheck } from "./ports/target.ts";

/** A check of a target that ended with an error: what is wrong, and the remedy. */
export function failedCheck(name: string, thrown: unknown): ProbeCheck {
  const { message, hint } = toLockstepError(thrown);
  return { name, ok: false, message: `${message} ${hint}` };
}
