/** `lockstep target list` and `lockstep history`: the targets, what is owed there, and what was pushed. */

import { pageOf } from "../../lib/cursor.ts";
import type { HistoryAnswer, TargetView } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";
import { pageAfter } from "./page-after.ts";

export async function listTargets(
  context: AppContext,
  filter: { readonly environment?: string },
): Promise<TargetView[]> {
  const rows = await context.store.read.views.targets(filter);
  return rows.map((row) => ({
    name: row.name,
    environment: row.environment,
    kind: row.kind,
    bindings: row.bindings,
    state: row.gaveUp ? "gave-up" : row.owed ? "owed" : "settled",
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? "" },
    nextActionAt: row.nextActionAt?.toISOString() ?? null,
    checkedAt: row.checkedAt?.toISOString() ?? null,
    nextCheckAt: row.kind === "manual" || row.bindings === 0 ? null : row.nextCheckAt.toISOString(),
  }));
}

export interface HistoryFilter {
  readonly environment?: string;
  readonly target?: string;
  readonly secret?: string;
  readonly limit: number;
  /** `next` of an earlier answer. */
  readonly after?: string;
}

/** What was pushed where, by whom, with what outcome. */
export async function viewHistory(
  context: AppContext,
  { after, limit, ...filter }: HistoryFilter,
): Promise<HistoryAnswer> {
  const found = await context.store.read.views.pushes({ ...filter, ...pageAfter(after), limit: limit + 1 });
  const page = pageOf(found, limit, ({ startedAtText, id }) => [startedAtText, id]);
  return {
    next: page.next,
    pushes: page.rows.map(({ errorCode, errorMessage, actor, ...push }) => ({
      id: push.id,
      target: push.target,
      generation: push.generation,
      attempt: push.attempt,
      actor,
      startedAt: push.startedAt.toISOString(),
      endedAt: push.endedAt?.toISOString() ?? null,
      outcome: push.outcome,
      error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? "" },
      evidence: push.evidence,
      items: push.items.map((item) => ({ ...item })),
    })),
  };
}
