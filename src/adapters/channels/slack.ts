/** A Slack incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks). */

import type { JsonObject } from "../../core/json.ts";
import type { Channel } from "../../core/ports/channel.ts";
import type { SlackChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { postMessage, type Undelivered } from "./post-message.ts";
import { linesOf, linesOfSeveral, titleOf, titleOfSeveral } from "./words.ts";

/** Of a section's text, by Slack's block kit. */
const MAX_TEXT = 3_000;

const REPLACE =
  "Make a new webhook in Slack (the app's settings, Incoming Webhooks), give its URL to the channel in `alerts:`, and run `lockstep apply`.";

/** What Slack says of a message that it did not take, in the page above; nothing else of an answer is repeated. */
const SLACK_ERRORS: ReadonlySet<string> = new Set([
  ...["action_prohibited", "channel_is_archived", "channel_not_found", "invalid_payload", "invalid_token"],
  ...[
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
  ],
  ...["team_disabled", "too_many_attachments", "user_not_found", "no_permission", "rollup_error"],
]);

/**
 * Slack answers `ok`, and so do those that speak its format; some say it in JSON. Anything else with a good status comes
 * from somebody in between, a login page for example.
 */
function whyNot(text: string): Undelivered | null {
  const said = text.trim();
  if (said.toLowerCase() === "ok" || /^\{\s*"(?:ok|success)"\s*:\s*true\b/.test(said)) return null;
  if (SLACK_ERRORS.has(said)) return { why: `Slack says ${said}. ${REPLACE}`, isRefused: true };
  return {
    why: "the answer is not Slack's `ok`. Something between may have answered in its place: a proxy, or the page of a login.",
    isRefused: false,
  };
}

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
    const posting = { url, headers: {}, body, whyNot, replace: REPLACE };
    await postMessage(connect, `Slack at ${new URL(url).host}`, posting, signal);
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
