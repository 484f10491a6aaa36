/** A Slack incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */
import type { Channel } from "../../core/ports/channel.ts";
import type { JsonObject } from "../../core/ports/target.ts";
import type { SlackChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { postMessage } from "./post-message.ts";
import { linesOf, linesOfSeveral, titleOf, titleOfSeveral } from "./words.ts";

/** Of a section's text, by Slack's block kit. */
const MAX_TEXT = 3_000;

export function createSlackChannel(connect: Connect): Channel {
  const post = async (
    config: JsonObject,
    {
      title,
      lines,
      summary,
    }: { readonly title: string; readonly lines: readonly string[]; readonly summary: string },
    signal: AbortSignal,
  ): Promise<void> => {
    const { url } = config as unknown as SlackChannel;
    const text = lines.map(escaped).join("\n").slice(0, MAX_TEXT);
    const body = JSON.stringify({
      // For notifications and screen readers.
      text: escaped(summary).slice(0, MAX_TEXT),
      blocks: [
        { type: "section", text: { type: "mrkdwn", text: `*${escaped(title)}*` } },
        { type: "section", text: { type: "mrkdwn", text } },
      ],
    });
    await postMessage(connect, `Slack at ${new URL(url).host}`, { url, headers: {}, body }, signal);
  };
  return {
    async send(config, message, signal) {
      const title = titleOf(message);
      await post(config, { title, lines: linesOf(message), summary: `${title}: ${message.message}` }, signal);
    },

    async sendTogether(config, messages, signal) {
      const title = titleOfSeveral(messages);
      await post(config, { title, lines: linesOfSeveral(messages), summary: title }, signal);
    },
  };
}

/** The three characters that mean something to Slack; a name must not become a mention or a link. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
