/** Brings alerts to people: what did not arrive is tried again, and what never does is said where people look. */
import { isSourceAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { AlertMessage } from "../../core/ports/channel.ts";
import type { DueDelivery, StoredChannel } from "../../core/store/channels.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { openChannel } from "../base/open-channel.ts";

const MAX_AT_ONCE = 8;
/** A program wants each for itself; people are told of many things at once in one message. */
const PROGRAMS = ["webhook"] as const;
const PEOPLE = ["slack", "email"] as const;
const TOGETHER_FROM = 4;
const MAX_TOGETHER = 200;
const LEASE_MS = 60_000;
/** After each failed try; the last one is repeated until a day is over. */
const BACKOFF_MS = [5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000];
const GIVE_UP_AFTER_MS = 24 * 3_600_000;

/** Answers how many were taken up. */
export async function deliverDue(context: AppContext, signal: AbortSignal): Promise<number> {
  const due = await context.store.transaction(async (tx) => [
    ...(await tx.channels.takeDue(PROGRAMS, MAX_AT_ONCE, LEASE_MS)),
    ...(await tx.channels.takeDue(PEOPLE, MAX_TOGETHER, LEASE_MS)),
  ]);
  // Together only what the same people miss: who has a message does not get it again with others.
  const ways = groupBy(due, ({ channel, reached }) => [channel.id, ...[...reached].sort()].join(" "));
  const messages = [...ways.values()].flatMap((ofOne) =>
    isTogether(context, ofOne) ? [ofOne] : ofOne.map((delivery) => [delivery]),
  );
  await mapLimited(messages, MAX_AT_ONCE, (deliveries) => deliver(context, deliveries, signal));
  return due.length;
}

function isTogether(context: AppContext, ofOne: readonly DueDelivery[]): boolean {
  const kind = ofOne[0]?.channel.kind;
  return (
    ofOne.length >= TOGETHER_FROM && kind !== undefined && context.channels[kind]?.sendTogether !== undefined
  );
}

/** One message: of one alert, or of several that came at once. */
async function deliver(
  context: AppContext,
  deliveries: readonly DueDelivery[],
  signal: AbortSignal,
): Promise<void> {
  const [first] = deliveries;
  if (first === undefined) return;
  try {
    await sendTo(context, first.channel, deliveries.map(messageOf), signal, first.reached);
    await context.store.transaction(async (tx) => {
      for (const { id, alert } of deliveries) await tx.channels.delivered(id, alert.updatedAt);
    });
  } catch (thrown) {
    if (signal.aborted) return;
    const error = toLockstepError(thrown);
    context.log.warn("alert not delivered", {
      channel: first.channel.name,
      code: error.code,
      reason: error.message,
    });
    // Not the channel's doing: it is taken up again when its lease is over.
    if (isSourceAway(error)) return;
    await context.store.transaction(async (tx) => {
      for (const delivery of deliveries) {
        const reached = { who: reachedBy(error) ?? delivery.reached, alertAt: delivery.alert.updatedAt };
        await tx.channels.failed(delivery.id, error.message, againInMs(context, delivery, error), reached);
      }
    });
  }
}

/** Null: it is not tried any more. */
function againInMs(
  context: AppContext,
  { attempts, createdAt }: DueDelivery,
  error: LockstepError,
): number | null {
  const isOver =
    (error.code === "CHANNEL_REFUSED" && (attempts >= 2 || error.details["gone"] === true)) ||
    context.clock.now().getTime() - createdAt.getTime() > GIVE_UP_AFTER_MS;
  if (isOver) return null;
  return Math.max(error.retryAfterMs ?? 0, BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)] ?? 0);
}

/** Who has the message by now; null: the error says nothing of it. */
function reachedBy({ details }: LockstepError): readonly string[] | null {
  const said = details["reached"];
  return Array.isArray(said) ? said.filter((who) => typeof who === "string") : null;
}

function messageOf({ id, event, alert }: DueDelivery): AlertMessage {
  const { kind, level, message, remedy, openedAt } = alert;
  const at = event === "resolved" ? (alert.resolvedAt ?? alert.updatedAt) : alert.updatedAt;
  return { id, event, kind, level, message, remedy, openedAt, at };
}

/** Throws CHANNEL_REFUSED, CHANNEL_UNAVAILABLE, SEALED_UNREADABLE. */
export async function sendTo(
  context: AppContext,
  channel: StoredChannel,
  messages: readonly AlertMessage[],
  signal: AbortSignal,
  reached: readonly string[] = [],
): Promise<void> {
  const config = await openChannel(context, channel);
  const way = context.channels[channel.kind];
  if (way === undefined)
    throw new LockstepError("CHANNEL_REFUSED", `This release has no channel of kind "${channel.kind}".`);
  const [first] = messages;
  if (messages.length > 1 && way.sendTogether !== undefined)
    await way.sendTogether(config, messages, signal, reached);
  else if (first !== undefined) await way.send(config, first, signal, reached);
}
