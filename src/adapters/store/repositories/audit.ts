import { type Kysely, sql } from "kysely";
import { AUDIT_ACTIONS, type AuditAction } from "../../../core/audit/events.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AuditEntry, AuditLog, RecordedAuditEntry } from "../../../core/store/audit.ts";
import { boundedJson } from "../../../lib/bounded-json.ts";
import type { Keys } from "../../../lib/cursor.ts";
import { boundedLine } from "../../../lib/visible-text.ts";
import { type Database, jsonb } from "../schema/schema.ts";
import { instantText, isAfter } from "./instants.ts";

const MAX_NAME = 300;
/** Wide enough for every list of our own: who an agent's word comes from is bounded before. */
const DETAILS = { maxText: 1_000, maxItems: 1_000 };

export class PostgresAuditLog implements AuditLog {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async append(...entries: readonly AuditEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#db
      .insertInto("audit_entry")
      .values(
        entries.map(({ action, actor, subject, details = {} }) => ({
          action,
          actor: jsonb(actor),
          subject_kind: subject.kind,
          subject_id: subject.id,
          subject_name: boundedLine(subject.name, MAX_NAME),
          details: jsonb(boundedJson(details, DETAILS)),
        })),
      )
      .execute();
  }

  async list(filter: {
    readonly limit: number;
    readonly before?: Date;
    readonly after?: Keys;
    readonly subjectName?: string;
  }): Promise<readonly RecordedAuditEntry[]> {
    let query = this.#db
      .selectFrom("audit_entry")
      .selectAll()
      .select(instantText(sql.ref("at")).as("atText"))
      .where(isAfter(sql.ref("at"), sql.ref("id"), filter.after));
    if (filter.before !== undefined) query = query.where("at", "<", filter.before);
    if (filter.subjectName !== undefined) query = query.where("subject_name", "=", filter.subjectName);
    const rows = await query.orderBy("at", "desc").orderBy("id").limit(filter.limit).execute();
    return rows.map((row) => ({
      id: row.id,
      at: row.at,
      atText: row.atText,
      action: toAction(row.action),
      actor: row.actor,
      subject: { kind: row.subject_kind, id: row.subject_id, name: row.subject_name },
      details: row.details,
    }));
  }
}

function toAction(text: string): AuditAction {
  const action = AUDIT_ACTIONS.find((known) => known === text);
  if (action === undefined) {
    throw new LockstepError(
      "STORE_SCHEMA",
      "Cannot read the audit log: it holds an action of a newer release.",
    );
  }
  return action;
}
