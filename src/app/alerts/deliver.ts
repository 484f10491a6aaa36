/** Brings alerts to people: what did not arrive is tried again, and what never does is said where people look. */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { AlertMessage } from "../../core/ports/channel.ts";
import type { DueDelivery, StoredChannel } from "../../core/ports/store/channels.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../context.ts";
import { openChannel } from "./channel-config.ts";

const MAX_AT_ONCE = 8;
const LEASE_MS = 60_000;
/** After each failed try; the last one is repeated until a day is over. */
const LADDER_MS = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/** Answers how many were taken up. */
export async function deliverDue(context: AppContext, signal: AbortSignal): Promise<number> {
  const due = await context.store.transaction((tx) => tx.channels.takeDue(MAX_AT_ONCE, LEASE_MS));
  await mapLimited(due, MAX_AT_ONCE, (delivery) => deliver(context, delivery, signal));
  return due.length;
}

async function deliver(context: AppContext, delivery: DueDelivery, signal: AbortSignal): Promise<void> {
  const { id, event, attempts, createdAt, channel, alert } = delivery;
  const { kind, level, message, remedy, openedAt } = alert;
  const at = event === "resolved" ? (alert.resolvedAt ?? alert.updatedAt) : alert.updatedAt;
  try {
    await sendTo(context, channel, { id, event, kind, level, message, remedy, openedAt, at }, signal);
    await context.store.transaction((tx) => tx.channels.delivered(id));
  } catch (thrown) {
    if (signal.aborted) return;
    const error = toLockstepError(thrown);
    const isOver =
      (error.code === "CHANNEL_REFUSED" && attempts >= 2) ||
      context.clock.now().getTime() - createdAt.getTime() > GIVE_UP_AFTER_MS;
    const waitMs = Math.max(
      error.retryAfterMs ?? 0,
      LADDER_MS[Math.min(attempts, LADDER_MS.length - 1)] ?? 0,
    );
    context.log.warn("alert not delivered", {
      channel: channel.name,
      code: error.code,
      reason: error.message,
    });
    await context.store.transaction((tx) => tx.channels.failed(id, error.message, isOver ? null : waitMs));
  }
}

/** Throws CHANNEL_REFUSED, CHANNEL_UNAVAILABLE, SEALED_UNREADABLE. */
export async function sendTo(
  context: AppContext,
  channel: StoredChannel,
  message: AlertMessage,
  signal: AbortSignal,
): Promise<void> {
  const config = await openChannel(context, channel);
  const way = context.channels[channel.kind];
  if (way === undefined)
    throw new LockstepError("CHANNEL_REFUSED", `This release has no channel of kind "${channel.kind}".`);
  await way.send(config, message, signal);
}
