/** Handlers of the first run. */
import { findRailwayProjects, findRailwayServices } from "../../../app/targets/find-railway.ts";
import { tryTarget } from "../../../app/targets/try-target.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import type { FIRST_RUN_OPERATIONS } from "../../../protocol/api-first-run.ts";
import type { Handlers } from "../routes.ts";

/** A person waits for it. */
const TIMEOUT_MS = 60_000;

export const firstRunHandlers: Pick<Handlers, keyof typeof FIRST_RUN_OPERATIONS> = {
  listTargetKinds: async (_call, { context }) => ({ kinds: [...context.targetKinds.keys()].sort() }),
  findRailwayProjects: ({ body }, { context, signal }) =>
    withDeadline(signal, TIMEOUT_MS, (limited) => findRailwayProjects(context, body, limited)),
  findRailwayServices: async ({ body }, { context, signal }) => ({
    services: await withDeadline(signal, TIMEOUT_MS, (limited) =>
      findRailwayServices(context, body, limited),
    ),
  }),
  tryTarget: ({ body }, { context, signal }) =>
    withDeadline(signal, TIMEOUT_MS, (limited) => tryTarget(context, body.target, limited)),
};
