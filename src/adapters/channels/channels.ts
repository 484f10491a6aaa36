/** All ways to people, by the name that the configuration gives. */
import type { Channel } from "../../core/ports/channel.ts";
import type { ChannelKind } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { createEmailChannel } from "./email.ts";
import { createSlackChannel } from "./slack.ts";
import { createWebhookChannel } from "./webhook.ts";

export type Channels = Readonly<Record<ChannelKind, Channel>>;

export function createChannels(connect: Connect): Channels {
  return {
    slack: createSlackChannel(connect),
    webhook: createWebhookChannel(connect),
    email: createEmailChannel(connect),
  };
}
