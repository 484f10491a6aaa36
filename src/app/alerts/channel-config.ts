/** Channels as the configuration says them, beside what is stored. Credentials are sealed, bound to where they go. */
import type { Actor } from "../../core/actor.ts";
import { channelAssociatedData } from "../../core/associated-data.ts";
import type { StoredChannel } from "../../core/ports/store/channels.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import type { JsonObject } from "../../core/ports/target.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import { type AlertsConfig, CHANNEL_CREDENTIALS, type ChannelKind } from "../../protocol/alerts.ts";
import type { AppContext } from "../context.ts";

export interface ChannelDifference {
  readonly action: "create" | "change" | "remove";
  readonly name: string;
  /** Null: it is removed. */
  readonly said: { readonly kind: ChannelKind; readonly config: JsonObject } | null;
}

/** `alerts` undefined: the configuration does not speak of channels, and they stay. */
export async function channelDifferences(
  context: AppContext,
  { channels }: Repositories,
  alerts: AlertsConfig | undefined,
): Promise<readonly ChannelDifference[]> {
  if (alerts === undefined) return [];
  const stored = new Map((await channels.all()).map((channel) => [channel.name, channel]));
  const differences: ChannelDifference[] = [];
  for (const [name, channel] of Object.entries(alerts)) {
    const said = saidOf(channel);
    const before = stored.get(name);
    if (before === undefined) differences.push({ action: "create", name, said });
    else if (!(await isSame(context, before, said))) differences.push({ action: "change", name, said });
  }
  const removed = [...stored.keys()].filter((name) => !Object.hasOwn(alerts, name));
  return [...differences, ...removed.map((name) => ({ action: "remove" as const, name, said: null }))];
}

export async function applyChannels(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  differences: readonly ChannelDifference[],
): Promise<void> {
  for (const { action, name, said } of differences) {
    const id =
      said === null
        ? await tx.channels.remove(name)
        : await tx.channels.save(name, { kind: said.kind, ...(await sealed(context, name, said)) });
    await tx.audit.append({
      action: `channel.${action}d`,
      actor,
      subject: { kind: "channel", id, name },
      details: said === null ? {} : { kind: said.kind },
    });
  }
}

/** With its credentials: as it was said. */
export async function openChannel(context: AppContext, channel: StoredChannel): Promise<JsonObject> {
  const { name, kind, config, credentialsSealed } = channel;
  if (credentialsSealed === null) return config;
  // From the stored address, never from a column of its own: a credential does not follow a moved address.
  const bound = channelAssociatedData(name, destinationOf(kind, config));
  const opened = await context.sealer.open(credentialsSealed, bound);
  return { ...config, ...(JSON.parse(opened) as JsonObject) };
}

function saidOf(channel: AlertsConfig[string]): NonNullable<ChannelDifference["said"]> {
  const [[kind, config] = ["slack", {}]] = Object.entries(channel).filter(([, one]) => one !== undefined);
  return { kind: kind as ChannelKind, config: JSON.parse(JSON.stringify(config)) as JsonObject };
}

async function isSame(
  context: AppContext,
  before: StoredChannel,
  said: NonNullable<ChannelDifference["said"]>,
): Promise<boolean> {
  if (before.kind !== said.kind) return false;
  // One that does not open is replaced by the given one: that is the way back.
  const opened = await openChannel(context, before).catch(() => null);
  return opened !== null && canonicalJson(opened) === canonicalJson(said.config);
}

async function sealed(
  { sealer }: AppContext,
  name: string,
  { kind, config }: NonNullable<ChannelDifference["said"]>,
) {
  const hidden = CHANNEL_CREDENTIALS[kind];
  const part = (isHidden: boolean): JsonObject =>
    Object.fromEntries(Object.entries(config).filter(([field]) => hidden.includes(field) === isHidden));
  const open = part(false);
  const credentials = part(true);
  const destination = destinationOf(kind, open);
  const credentialsSealed =
    Object.keys(credentials).length === 0
      ? null
      : await sealer.seal(JSON.stringify(credentials), channelAssociatedData(name, destination));
  return { config: open, destination, credentialsSealed };
}

/** Of a Slack webhook the address itself is what is sealed. */
function destinationOf(kind: ChannelKind, config: JsonObject): string {
  const { url, host, port, user } = config;
  return canonicalJson({
    kind,
    url: url ?? null,
    host: host ?? null,
    port: port ?? null,
    user: user ?? null,
  });
}
