/** A Slack incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
import type { Channel } from "../../core/ports/channel.ts";
import type { SlackChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { postMessage } from "./post-message.ts";
import { linesOf, titleOf } from "./words.ts";

/** Of a section's text, by Slack's block kit. */
const MAX_TEXT = 3_000;

export function createSlackChannel(connect: Connect): Channel {
  return {
    async send(config, message, signal) {
      const { url } = config as unknown as SlackChannel;
      const title = escaped(titleOf(message));
      const text = linesOf(message).map(escaped).join("\n").slice(0, MAX_TEXT);
      const body = JSON.stringify({
        // For notifications and screen readers.
        text: `${title}: ${escaped(message.message)}`.slice(0, MAX_TEXT),
        blocks: [
          { type: "section", text: { type: "mrkdwn", text: `*${title}*` } },
          { type: "section", text: { type: "mrkdwn", text } },
        ],
      });
      await postMessage(connect, `Slack at ${new URL(url).host}`, { url, headers: {}, body }, signal);
    },
  };
}

/** The three characters that mean something to Slack; a name must not become a mention or a link. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
