import type { Actor } from "../actor.ts";

/** What a person should know without asking. At most one open alert of each kind and subject. */
export interface AlertContent {
  readonly kind: string;
  readonly subjectId: string;
  /** Replaced by that of a later `raise`; a higher one is an escalation. */
  readonly level: string;
  readonly message: string;
  readonly remedy: string;
}

export interface AlertRecord extends AlertContent {
  readonly id: string;
  readonly openedAt: Date;
  readonly updatedAt: Date;
  readonly resolvedAt: Date | null;
}

export interface AlertRepo {
  /**
   * Opens, or changes the open one, and lets every channel know. `opened` false: there was one. `holdMs`: what is over by
   * then is told to nobody.
   */
  raise(alert: AlertContent, holdMs?: number): Promise<{ readonly id: string; readonly opened: boolean }>;
  /** Null: none was open. Who was told of it is told that it is over. */
  resolve(kind: string, subjectId: string): Promise<{ readonly id: string } | null>;
  /** Ends what has not changed for that long, without telling anybody: it told of something that happened once. */
  close(
    kinds: readonly string[],
    ageMs: number,
  ): Promise<readonly { readonly kind: string; readonly subjectId: string }[]>;
  /** Nobody is told of what opens until then; of one kind, or of every. */
  silence(silence: {
    readonly kind: string | null;
    readonly forMs: number;
    readonly reason: string;
    readonly actor: Actor;
  }): Promise<void>;
  /** Newest first. */
  list(which: { readonly open: boolean; readonly limit: number }): Promise<readonly AlertRecord[]>;
}
