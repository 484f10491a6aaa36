import type { BindingState } from "../drift/state.ts";

/** Secrets and targets mean their bindings too. */
export interface JudgementScope {
  readonly secretIds: readonly string[];
  readonly targetIds: readonly string[];
  readonly bindingIds: readonly string[];
}

export interface Judgement {
  readonly id: string;
  readonly kind: "secret" | "target" | "binding";
  /** Of a binding; otherwise itself, and null for the other. */
  readonly secretId: string | null;
  readonly targetId: string | null;
  /** Of a binding. */
  readonly state: BindingState | null;
  /** People are to be told of it. */
  readonly isNoticed: boolean;
  /** From now: until then only an event changes it. */
  readonly staysMs: number;
}

/** What is said of each secret, target and binding, kept until something changes it. */
export interface JudgementRepo {
  /**
   * Takes away what is owed a judgement, and names what time may have changed: at most `limit` of each. What is taken is
   * judged in this transaction; of two that judged at a time, the one that read first could otherwise write last.
   */
  takeOwed(limit: number): Promise<JudgementScope>;
  /** What in the scope is not among `judgements` is gone. */
  record(scope: JudgementScope, judgements: readonly Judgement[]): Promise<void>;
  /** Somebody changed something that is not judged yet. */
  isOwed(): Promise<boolean>;
  /** What people are to be told of: the targets of the bindings among it too. */
  noticed(): Promise<Pick<JudgementScope, "secretIds" | "targetIds">>;
}
