import type { Keys } from "../../lib/cursor.ts";
import type { Actor } from "../actor.ts";
import type { AuditAction } from "../audit/events.ts";
import type { JsonObject } from "../json.ts";

export interface AuditEntry {
  readonly action: AuditAction;
  readonly actor: Actor;
  readonly subject: { readonly kind: string; readonly id: string; readonly name: string };
  /** Ids, names, versions and counts; never a value or a fingerprint. */
  readonly details?: JsonObject;
}

export interface RecordedAuditEntry extends AuditEntry {
  readonly id: string;
  readonly at: Date;
  /** To the microsecond. */
  readonly atText: string;
}

/** Append-only. Exists inside a transaction only, so that a change and its entry commit together. */
export interface AuditLog {
  append(...entries: readonly AuditEntry[]): Promise<void>;
  /** Newest first; of one instant by id. */
  list(filter: {
    readonly limit: number;
    readonly before?: Date;
    /** What follows that entry. */
    readonly after?: Keys;
    readonly subjectName?: string;
  }): Promise<readonly RecordedAuditEntry[]>;
}
