import type { Actor } from "../actor.ts";
import type { LadderEvidence } from "../evidence.ts";
import type { Slot } from "../secret.ts";

export type PushOutcome = "started" | "unknown" | "succeeded" | "unchanged" | "failed" | "superseded";

export interface PushItem {
  readonly bindingId: string;
  readonly secretId: string;
  readonly placement: string;
  readonly key: string;
  readonly slot: Slot;
  readonly version: number | null;
  readonly action: "set" | "unset" | "unchanged";
  /** What stood there: "v4", unknown, absent, unreadable, reference. */
  readonly replaced: string | null;
}

export interface NewPush {
  readonly targetId: string;
  readonly epoch: number;
  readonly generation: number;
  readonly attempt: number;
  readonly leaseToken: number;
  readonly actor: Actor;
  readonly digest: string;
  readonly items: readonly PushItem[];
}

export interface PushEnd {
  readonly outcome: Exclude<PushOutcome, "started">;
  readonly evidence: LadderEvidence | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface OpenPush {
  readonly id: string;
  readonly epoch: number;
  readonly generation: number;
  readonly digest: string;
  readonly outcome: PushOutcome;
}

export interface NewObservation {
  readonly bindingId: string;
  readonly slot: Slot;
  readonly pushId: string | null;
  readonly found: "version" | "unknown" | "absent" | "unreadable";
  readonly version: number | null;
  readonly reason: string | null;
}

export interface PushRepo {
  /** The committed intent: written before the write. */
  start(push: NewPush): Promise<string>;
  /** What the writer found and did replaces what was meant, where another than the intent's writer looks: agents. */
  replaceItems(pushId: string, items: readonly PushItem[]): Promise<void>;
  end(pushId: string, end: PushEnd): Promise<void>;
  /** Started or unknown, oldest first. */
  open(targetId: string): Promise<readonly OpenPush[]>;
  /** Keys that open pushes of this generation were to set: whether they did, only reading back tells. */
  openSets(targetId: string, generation: number): Promise<readonly { placement: string; key: string }[]>;
  /** Whether it is, or was, a push to this target. */
  isAt(pushId: string, targetId: string): Promise<boolean>;
  /**
   * Whether one push alone wrote under this number, and nothing that stood there already: what is seen of it is then its
   * doing.
   */
  changedAllAtOnce(
    targetId: string,
    number: { readonly epoch: number; readonly generation: number },
  ): Promise<boolean>;
  /** Pushes of this generation that stand at `acknowledged` become `evidence`. */
  raiseEvidence(pushIds: readonly string[], evidence: LadderEvidence): Promise<void>;
  acknowledged(targetId: string, generation: number): Promise<readonly string[]>;
  /**
   * Takes the place of what was seen of these slots before. `agoMs`: how long ago it was observed; what was written since
   * outdates it. Default 0.
   */
  observe(observations: readonly NewObservation[], agoMs?: number): Promise<void>;
}
