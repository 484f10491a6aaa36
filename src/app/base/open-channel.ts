/**
 * A channel's credentials, bound to where its messages go. What was opened stays in this process's memory: people must
 * hear of a key ring that is away, through channels whose credentials it sealed.
 */
import { channelAssociatedData } from "../../core/associated-data.ts";
import { isRingAway, toLockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { StoredChannel } from "../../core/store/channels.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { AppContext } from "./context.ts";

/** Its configuration with its credentials. Throws SEALED_UNREADABLE, and what a key ring that is away throws. */
export async function openChannel(context: AppContext, channel: StoredChannel): Promise<JsonObject> {
  const { config, credentialsSealed } = channel;
  if (credentialsSealed === null) return config;
  const bound = boundTo(channel);
  const { channels } = context.opened;
  const known = knownAs(bound, credentialsSealed);
  try {
    const opened = await context.sealer.open(credentialsSealed, bound);
    channels.set(known, opened);
    return withCredentials(config, opened);
  } catch (error) {
    const before = channels.get(known);
    if (before !== undefined && isRingAway(toLockstepError(error))) return withCredentials(config, before);
    throw error;
  }
}

/** Opens those that were never opened here, as long as that is possible; forgets those that are stored no more. */
export async function rememberChannels(context: AppContext): Promise<void> {
  const { channels: opened } = context.opened;
  const stored = new Map(
    (await context.store.read.channels.all()).flatMap((channel) =>
      channel.credentialsSealed === null
        ? []
        : [[knownAs(boundTo(channel), channel.credentialsSealed), channel] as const],
    ),
  );
  for (const known of opened.keys()) if (!stored.has(known)) opened.delete(known);
  for (const [known, channel] of stored)
    if (!opened.has(known)) await openChannel(context, channel).catch(() => undefined);
}

/** From the stored address, never from a column of its own: a credential does not follow a moved address. */
function boundTo({ name, kind, config }: StoredChannel): string {
  return channelAssociatedData(name, destinationOf(kind, config));
}

function knownAs(bound: string, credentialsSealed: string): string {
  return JSON.stringify([bound, credentialsSealed]);
}

function withCredentials(config: JsonObject, opened: string): JsonObject {
  return { ...config, ...(JSON.parse(opened) as JsonObject) };
}

/** Of a Slack webhook the address itself is what is sealed. */
export function destinationOf(kind: string, config: JsonObject): string {
  const { url, host, port, user } = config;
  return canonicalJson({
    kind,
    url: url ?? null,
    host: host ?? null,
    port: port ?? null,
    user: user ?? null,
  });
}
