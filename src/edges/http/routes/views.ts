/** Handlers that look. */
import { checkNow } from "../../../app/drift/view-check.ts";
import { listRollouts, viewRollout } from "../../../app/rollouts/view-rollouts.ts";
import { viewStatus } from "../../../app/status/status.ts";
import { listTargets, viewHistory } from "../../../app/status/targets.ts";
import type { Problem } from "../../../protocol/api-parts.ts";
import type { VIEW_OPERATIONS } from "../../../protocol/api-views.ts";
import type { Handlers } from "../routes.ts";

export const viewHandlers: Pick<Handlers, keyof typeof VIEW_OPERATIONS> = {
  getStatus: ({ query }, { context }) => viewStatus(context, query),
  check: ({ body }, { context, signal }) => checkNow(context, body, signal),
  listPushes: ({ query }, { context }) => viewHistory(context, query),
  listRollouts: async ({ query }, { context }) => ({ rollouts: [...(await listRollouts(context, query))] }),
  getRollout: ({ params }, { context }) => viewRollout(context, params.rollout),
  listAudit: async ({ query: { subject, before, limit } }, { context }) => {
    const entries = await context.store.read.audit.list({
      limit,
      ...(subject === undefined ? {} : { subjectName: subject }),
      ...(before === undefined ? {} : { before: new Date(before) }),
    });
    return {
      entries: entries.map(({ at, details = {}, ...entry }) => ({
        ...entry,
        at: at.toISOString(),
        details: structuredClone(details) as Problem["details"],
      })),
    };
  },
  listTargets: async ({ query }, { context }) => ({ targets: await listTargets(context, query) }),
};
