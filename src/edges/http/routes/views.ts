/** Handlers that look. */
import { checkNow } from "../../../app/drift/view-check.ts";
import { listRollouts, viewRollout } from "../../../app/rollouts/view-rollouts.ts";
import { pageAfter } from "../../../app/status/page-after.ts";
import { viewStatus } from "../../../app/status/status.ts";
import { listTargets, viewHistory } from "../../../app/status/targets.ts";
import { pageOf } from "../../../lib/cursor.ts";
import type { Problem } from "../../../protocol/api-parts.ts";
import type { VIEW_OPERATIONS } from "../../../protocol/api-views.ts";
import type { Handlers } from "../routes.ts";

export const viewHandlers: Pick<Handlers, keyof typeof VIEW_OPERATIONS> = {
  getStatus: ({ query }, { context }) => viewStatus(context, query),
  check: ({ body }, { context, signal }) => checkNow(context, body, signal),
  listPushes: ({ query }, { context }) => viewHistory(context, query),
  listRollouts: async ({ query }, { context }) => ({ rollouts: [...(await listRollouts(context, query))] }),
  getRollout: ({ params }, { context }) => viewRollout(context, params.rollout),
  listAudit: async ({ query: { subject, before, limit, after } }, { context }) => {
    const found = await context.store.read.audit.list({
      limit: limit + 1,
      ...pageAfter(after),
      ...(subject === undefined ? {} : { subjectName: subject }),
      ...(before === undefined ? {} : { before: new Date(before) }),
    });
    const page = pageOf(found, limit, ({ atText, id }) => [atText, id]);
    return {
      next: page.next,
      entries: page.rows.map(({ at, atText: _, details = {}, ...entry }) => ({
        ...entry,
        at: at.toISOString(),
        details: structuredClone(details) as Problem["details"],
      })),
    };
  },
  listTargets: async ({ query }, { context }) => ({ targets: await listTargets(context, query) }),
};
