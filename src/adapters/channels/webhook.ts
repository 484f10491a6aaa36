/** A webhook that is signed as Standard Webhooks says: who receives it can tell that it is ours, whole, and new. */
import { createHmac } from "node:crypto";
import type { Channel } from "../../core/ports/channel.ts";
import { boundedText } from "../../lib/visible-text.ts";
import type { WebhookChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { postMessage } from "./post-message.ts";

const MAX_MESSAGE = 2_000;
const MAX_REMEDY = 1_000;
const REPLACE =
  "Give the channel its new `url` in `alerts:`, or take the channel out, and run `lockstep apply`.";

export function createWebhookChannel(connect: Connect): Channel {
  return {
    async send(config, { id, event, at, ...alert }, signal) {
      const { url, secret, caCertificate } = config as unknown as WebhookChannel;
      const body = JSON.stringify({
        type: `alert.${event}`,
        timestamp: at.toISOString(),
        data: {
          ...alert,
          message: boundedText(alert.message, MAX_MESSAGE),
          remedy: boundedText(alert.remedy, MAX_REMEDY),
          openedAt: alert.openedAt.toISOString(),
        },
      });
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const headers = {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${signature(secret, `${id}.${timestamp}.${body}`)}`,
      };
      const posting = { url, headers, body, caCertificate, replace: REPLACE };
      await postMessage(connect, new URL(url).host, posting, signal);
    },
  };
}

function signature(secret: string, content: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(content).digest("base64");
}
