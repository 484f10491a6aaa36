/** Channels as the configuration says them, beside what is stored. Credentials are sealed, bound to where they go. */
import type { Actor } from "../../core/actor.ts";
import { channelAssociatedData } from "../../core/associated-data.ts";
import type { JsonObject } from "../../core/json.ts";
import type { StoredChannel } from "../../core/store/channels.ts";
import type { Repositories } from "../../core/store/store.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { AlertsConfig, ChannelKind } from "../../protocol/alerts.ts";
import { CHANNEL_CREDENTIALS, isUnsent } from "../../protocol/credentials.ts";
import type { AppContext } from "../base/context.ts";
import { destinationOf, openChannel } from "../base/open-channel.ts";

export interface ChannelDifference {
  readonly action: "create" | "change" | "remove";
  readonly name: string;
  /** Null: it is removed. */
  readonly said: SaidChannel | null;
  /** Messages went there before: kind and address are those that were applied. */
  readonly isKnown: boolean;
}

export interface SaidChannel {
  readonly kind: ChannelKind;
  /** With its credentials, or the marks that stand for them. */
  readonly config: JsonObject;
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
    if (before === undefined) differences.push({ action: "create", name, said, isKnown: false });
    else if (!(await isSame(context, before, said)))
      differences.push({
        action: "change",
        name,
        said,
        isKnown: await goesWhereItWent(context, before, said),
      });
  }
  const removed = [...stored.keys()].filter((name) => !Object.hasOwn(alerts, name));
  return [
    ...differences,
    ...removed.map((name) => ({ action: "remove" as const, name, said: null, isKnown: true })),
  ];
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

async function isSame(context: AppContext, before: StoredChannel, said: SaidChannel): Promise<boolean> {
  if (before.kind !== said.kind) return false;
  const marks = Object.values(said.config).filter(isUnsent);
  if (marks.length > 0) {
    // Of a Slack webhook nothing stands openly that could show whether it goes elsewhere: the mark says it.
    const moved = said.kind === "slack" && marks.some(({ unsent }) => unsent === "elsewhere");
    const open = partsOf(said).open;
    return (
      !moved && before.credentialsSealed !== null && canonicalJson(open) === canonicalJson(before.config)
    );
  }
  // One that does not open is replaced by the given one: that is the way back.
  const opened = await openChannel(context, before).catch(() => null);
  return opened !== null && canonicalJson(opened) === canonicalJson(said.config);
}

async function sealed({ sealer }: AppContext, name: string, said: SaidChannel) {
  const { open, credentials } = partsOf(said);
  const destination = destinationOf(said.kind, open);
  const credentialsSealed =
    Object.keys(credentials).length === 0
      ? null
      : await sealer.seal(JSON.stringify(credentials), channelAssociatedData(name, destination));
  return { config: open, destination, credentialsSealed };
}

function partsOf({ kind, config }: SaidChannel): {
  readonly open: JsonObject;
  readonly credentials: JsonObject;
} {
  const hidden: readonly string[] = CHANNEL_CREDENTIALS[kind];
  const part = (isHidden: boolean): JsonObject =>
    Object.fromEntries(Object.entries(config).filter(([field]) => hidden.includes(field) === isHidden));
  return { open: part(false), credentials: part(true) };
}

/** Whether messages went there before this configuration: kind and address are those that were applied. */
export function isKnownChannel(before: StoredChannel | undefined, said: SaidChannel): boolean {
  if (before === undefined || before.kind !== said.kind) return false;
  return destinationOf(before.kind, before.config) === destinationOf(said.kind, partsOf(said).open);
}

/** Of a Slack webhook the origin of its URL is compared, which is sealed. */
async function goesWhereItWent(
  context: AppContext,
  before: StoredChannel,
  said: SaidChannel,
): Promise<boolean> {
  if (!isKnownChannel(before, said)) return false;
  if (said.kind !== "slack") return true;
  const opened = await openChannel(context, before).catch(() => null);
  return opened !== null && channelAddress({ kind: before.kind, config: opened }) === channelAddress(said);
}

/** Where its messages go, for people; of a Slack webhook the origin alone. Null: it is not known here. */
export function channelAddress({ kind, config }: SaidChannel): string | null {
  const { url, host, port } = config;
  if (kind === "email") return `smtp://${String(host)}:${String(port)}`;
  if (typeof url !== "string" || !URL.canParse(url)) return null;
  return kind === "slack" ? new URL(url).origin : url;
}

export function saidOf(channel: AlertsConfig[string]): SaidChannel {
  const [[kind, config] = ["slack", {}]] = Object.entries(channel).filter(([, one]) => one !== undefined);
  return { kind: kind as ChannelKind, config: JSON.parse(JSON.stringify(config)) as JsonObject };
}
