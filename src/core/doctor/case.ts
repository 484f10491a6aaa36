import type { BindingFacts, SecretFacts, TargetFacts } from "./facts.ts";

/** One binding with what it belongs to: what a finding about it is judged from. */
export interface BindingCase {
  readonly secret: SecretFacts;
  readonly binding: BindingFacts;
  readonly target: TargetFacts;
  readonly now: Date;
}
