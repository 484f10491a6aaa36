/** An alert opens, escalates or ends, together with its entry on record. Within the caller's transaction. */
import { type Actor, SYSTEM } from "../../core/actor.ts";
import type { AlertContent } from "../../core/store/alerts.ts";
import type { Repositories } from "../../core/store/store.ts";
import { boundedText } from "../../lib/visible-text.ts";

/** Whatever it tells of: a person reads it, and every server reads all open ones every few seconds. */
const MAX_MESSAGE = 2_000;
const MAX_REMEDY = 1_000;

export interface AlertSubject {
  /** Of what it is about, for the record: a secret, a target, or what a finding names. */
  readonly kind: "alert" | "secret" | "target";
  readonly id: string;
  readonly name: string;
}

export async function raiseAlert(
  tx: Repositories,
  subject: AlertSubject,
  alert: Omit<AlertContent, "subjectId">,
  holdMs = 0,
): Promise<void> {
  const { opened } = await tx.alerts.raise(
    {
      ...alert,
      message: boundedText(alert.message, MAX_MESSAGE),
      remedy: boundedText(alert.remedy, MAX_REMEDY),
      subjectId: subject.id,
    },
    holdMs,
  );
  await tx.audit.append({
    action: opened ? "alert.opened" : "alert.escalated",
    actor: SYSTEM,
    subject: { ...subject },
    details: { alert: alert.kind, level: alert.level },
  });
}

/** False, and nothing done, where none is open. */
export async function resolveAlert(
  tx: Repositories,
  actor: Actor,
  subject: AlertSubject,
  kind: string,
): Promise<boolean> {
  if ((await tx.alerts.resolve(kind, subject.id)) === null) return false;
  await tx.audit.append({
    action: "alert.resolved",
    actor,
    subject: { ...subject },
    details: { alert: kind },
  });
  return true;
}
