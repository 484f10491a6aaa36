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
    const body = JSON.stringify({
      // For notifications and screen readers.
      text: fitting(summary),
      mrkdwn: false,
      blocks: [
        { type: "section", text: { type: "mrkdwn", text: `*${escaped(title)}*`, verbatim: true } },
        // Without mark-up: it repeats what hosts and agents say.
        { type: "section", text: { type: "plain_text", text: fitting(lines.join("\n")), emoji: false } },
      ],
    });
    await postMessage(connect, `Slack at ${new URL(url).host}`, { url, headers: {}, body }, signal);
  };
  return {
    async send(config, message, signal) {
      const title = titleOf(message);
      const lines = linesOf(message);
      await post(config, { title, lines, summary: `${title}: ${lines[0]}` }, signal);
    },

    async sendTogether(config, messages, signal) {
      const title = titleOfSeveral(messages);
      await post(config, { title, lines: linesOfSeveral(messages), summary: title }, signal);
    },
  };
}

/** Cut where Slack would refuse it, and not within an escaped character. */
function fitting(text: string): string {
  return escaped(text)
    .slice(0, MAX_TEXT)
    .replace(/&[a-z]{0,3}$/, "");
}

/** The three characters that mean something to Slack; a name must not become a mention or a link. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
