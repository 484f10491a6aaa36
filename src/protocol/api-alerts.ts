/** Operations for what people should know without asking, and for the ways by which they are told. */
import { z } from "zod";
import { channelName } from "./alerts.ts";
import { operation } from "./api-operation.ts";
import { instant, limit } from "./api-parts.ts";

const alert = z.object({
  id: z.string(),
  kind: z.string(),
  level: z.string(),
  message: z.string(),
  remedy: z.string(),
  openedAt: instant,
  updatedAt: instant,
  resolvedAt: instant.nullable(),
});
export type AlertAnswer = z.output<typeof alert>;

const channel = z.object({
  name: z.string(),
  kind: z.string(),
  lastDeliveredAt: instant.nullable(),
  /** Messages on their way. */
  waiting: z.int(),
  /** Of the last message that has not arrived; null: all did. `gaveUp`: it is not tried any more. */
  error: z.object({ message: z.string(), since: instant, gaveUp: z.boolean() }).nullable(),
});
export type ChannelAnswer = z.output<typeof channel>;

const channelTest = z.object({
  channel: z.string(),
  kind: z.string(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
});
export type ChannelTestAnswer = z.output<typeof channelTest>;

export const ALERT_OPERATIONS = {
  listAlerts: operation({
    method: "GET",
    path: "/alerts",
    summary: "What people should know without asking, newest first.",
    permission: "status.read",
    query: z.strictObject({
      /** Resolved ones too. */
      all: z.enum(["true", "false"]).exactOptional(),
      limit: limit.default(50),
    }),
    answer: z.object({ alerts: z.array(alert) }),
  }),
  listChannels: operation({
    method: "GET",
    path: "/alert-channels",
    summary: "Where alerts go, and whether they arrive.",
    permission: "status.read",
    answer: z.object({ channels: z.array(channel) }),
  }),
  testChannels: operation({
    method: "POST",
    path: "/alert-channels/test",
    summary: "Sends a test message to each channel, or to one.",
    permission: "alert.manage",
    body: z.strictObject({ channel: channelName.exactOptional() }),
    answer: z.object({ tested: z.array(channelTest) }),
  }),
  silenceAlerts: operation({
    method: "POST",
    path: "/alert-silences",
    summary: "Keeps alerts that open in a window from being sent; they are kept and shown.",
    permission: "alert.manage",
    body: z.strictObject({
      /** Of doctor's findings, or `renewal`; every kind without it. */
      kind: z.string().min(1).max(64).exactOptional(),
      /** From now; a week at most. */
      forMs: z
        .int()
        .min(1_000)
        .max(7 * 86_400_000),
      reason: z.string().min(1).max(500),
    }),
    answer: z.object({ until: instant }),
  }),
};
