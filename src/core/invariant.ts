import { LockstepError } from "./errors.ts";

/** For what only a defect of ours can break. `what` is a constant sentence, never data. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new LockstepError("INTERNAL", `Invariant broken: ${what}.`);
}
