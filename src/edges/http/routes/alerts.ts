/** Handlers for alerts and their channels. */
import { silenceAlerts } from "../../../app/alerts/silence-alerts.ts";
import { testChannels } from "../../../app/alerts/test-channels.ts";
import type { ALERT_OPERATIONS } from "../../../protocol/api-alerts.ts";
import type { Handlers } from "../routes.ts";

export const alertHandlers: Pick<Handlers, keyof typeof ALERT_OPERATIONS> = {
  listAlerts: async ({ query: { all, limit } }, { context }) => {
    const alerts = await context.store.read.alerts.list({ open: all !== "true", limit });
    return {
      alerts: alerts.map(({ id, kind, level, message, remedy, openedAt, updatedAt, resolvedAt }) => ({
        id,
        kind,
        level,
        message,
        remedy,
        openedAt: openedAt.toISOString(),
        updatedAt: updatedAt.toISOString(),
        resolvedAt: resolvedAt?.toISOString() ?? null,
      })),
    };
  },
  listChannels: async (_request, { context }) => ({
    channels: (await context.store.read.channels.health()).map(
      ({ name, kind, lastDeliveredAt, waiting, error }) => ({
        name,
        kind,
        lastDeliveredAt: lastDeliveredAt?.toISOString() ?? null,
        waiting,
        error:
          error === null
            ? null
            : { message: error.message, since: error.since.toISOString(), gaveUp: error.isOver },
      }),
    ),
  }),
  testChannels: async ({ body: { channel } }, { context, caller, signal }) => ({
    tested: [...(await testChannels(context, caller.actor, channel, signal))],
  }),
  silenceAlerts: async ({ body: { kind, forMs, reason } }, { context, caller }) => ({
    until: (await silenceAlerts(context, caller.actor, { kind: kind ?? null, forMs, reason })).toISOString(),
  }),
};
