import type { DoctorFacts, SecretFacts, TargetError } from "../../core/doctor/facts.ts";

/** What targets, places of secrets without a value, and the queue answered just now, beside what is recorded. */
export interface LiveAnswers {
  /** By target id; null: no target was asked. */
  readonly failures: ReadonlyMap<string, TargetError | null> | null;
  /** By secret id. */
  readonly adoptions: ReadonlyMap<string, SecretFacts["adoption"]>;
  readonly queueAway: boolean;
  readonly queueTrouble?: DoctorFacts["queueTrouble"];
}
