/**
 * Where alerts go: what `alerts` in lockstep.yaml may say. It travels with its credentials, which are sealed where they
 * are stored: the whole URL of a Slack webhook is one.
 */
import { z } from "zod";
import { isLoopbackHost } from "../lib/addresses.ts";
import { say, wordUnknownKeys } from "./config-problem.ts";
import { credentialOf, type Unsent } from "./credentials.ts";
import { probeUrl, trustedCertificate } from "./probe.ts";

function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: wordUnknownKeys(Object.keys(shape)) });
}

/** Lines of a message's head: nothing that would begin another one. */
const address = z
  .string()
  .regex(/^[^\s<>,;:"()[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, {
    error: say("is not an e-mail address", "Write it bare, for example ops@example.com."),
  });

/** A Slack incoming webhook. */
const slack = strict({ url: credentialOf(probeUrl) });

/** Signed as Standard Webhooks says (https://www.standardwebhooks.com). */
const webhook = strict({
  url: probeUrl,
  /** `whsec_` and at least 24 bytes as base64. */
  secret: credentialOf(
    z.string().regex(/^whsec_(?:[A-Za-z0-9+/]{4}){8,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, {
      error: say(
        "is not a signing secret",
        'Make one: `echo "whsec_$(openssl rand -base64 32)"`, and give it as `${env:…}` or `${file:…}`.',
      ),
    }),
  ),
  caCertificate: trustedCertificate.optional(),
});

const email = strict({
  host: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/, {
    error: say("is not a mail server", "Write its name, for example smtp.example.com."),
  }),
  port: z.int().min(1).max(65_535).default(587),
  /** `starttls` and `implicit` insist on it; `none` is for a server on this machine alone. */
  tls: z.enum(["starttls", "implicit", "none"]).default("starttls"),
  user: z.string().min(1).max(256).optional(),
  password: credentialOf(z.string().min(1).max(4_096)).optional(),
  from: address,
  to: z.array(address).min(1).max(20),
  caCertificate: trustedCertificate.optional(),
}).superRefine(({ host, tls, user, password }, context) => {
  const refuse = (path: string, message: string, remedy: string) =>
    context.addIssue({ code: "custom", path: [path], message: say(message, remedy) });
  if (tls === "none" && !isLoopbackHost(host))
    refuse("tls", "would send alerts unencrypted", "Use starttls or implicit; none is for loopback alone.");
  if ((user === undefined) !== (password === undefined))
    refuse("user", "goes with `password`", "Give both, or neither.");
});

const shape = { slack, webhook, email };

const channel = strict({
  slack: shape.slack.optional(),
  webhook: shape.webhook.optional(),
  email: shape.email.optional(),
}).refine((said) => Object.values(said).filter((one) => one !== undefined).length === 1, {
  error: say("must say exactly one way", "Keep one of slack, webhook and email."),
});

export const channelName = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, {
  error: say("is not a name for a channel", "Use lower-case letters, digits and -; for example ops."),
});

export const alertsSchema = z.record(channelName, channel);

export const CHANNEL_KINDS = ["slack", "webhook", "email"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];
export type AlertsConfig = z.output<typeof alertsSchema>;

type Given<Said> = { readonly [Field in keyof Said]: Exclude<Said[Field], Unsent> };
/** As they are stored and used: with the credentials themselves. */
export type SlackChannel = Given<z.output<typeof slack>>;
export type WebhookChannel = Given<z.output<typeof webhook>>;
export type EmailChannel = Given<z.output<typeof email>>;
