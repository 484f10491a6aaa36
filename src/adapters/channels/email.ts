/** An e-mail over SMTP, encrypted unless the server is on this machine. */
import { rootCertificates } from "node:tls";
import { createTransport } from "nodemailer";
import { LockstepError } from "../../core/errors.ts";
import type { Channel } from "../../core/ports/channel.ts";
import type { JsonObject } from "../../core/ports/target.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { EmailChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { reasonOf } from "../outgoing/reasons.ts";
import { linesOf, linesOfSeveral, titleOf, titleOfSeveral } from "./words.ts";

const WITHIN_MS = 30_000;

export function createEmailChannel(connect: Connect): Channel {
  const mail = async (
    config: JsonObject,
    {
      id,
      subject,
      lines,
    }: { readonly id: string; readonly subject: string; readonly lines: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> => {
    const { host, port, tls, user, password, from, to, caCertificate } = config as unknown as EmailChannel;
    const at = `mail server ${host}`;
    try {
      await withDeadline(signal, WITHIN_MS, async (limited) => {
        const line = await connect(host, port, limited);
        const transport = createTransport({
          host,
          port,
          secure: tls === "implicit",
          requireTLS: tls === "starttls",
          ignoreTLS: tls === "none",
          connection: line,
          tls: {
            rejectUnauthorized: true,
            minVersion: "TLSv1.2",
            ...(caCertificate === undefined ? {} : { ca: [...rootCertificates, caCertificate] }),
          },
          ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
          disableFileAccess: true,
          disableUrlAccess: true,
        } as Parameters<typeof createTransport>[0]);
        const end = () => line.destroy();
        limited.addEventListener("abort", end, { once: true });
        try {
          await transport.sendMail({
            from,
            to: [...to],
            subject,
            text: `${lines.join("\n\n")}\n`,
            messageId: `<${id}@lockstep>`,
            headers: { "Auto-Submitted": "auto-generated" },
          });
        } finally {
          limited.removeEventListener("abort", end);
          transport.close();
          line.destroy();
        }
      });
    } catch (error) {
      throw wordOf(error, at);
    }
  };
  return {
    async send(config, message, signal) {
      await mail(config, { id: message.id, subject: titleOf(message), lines: linesOf(message) }, signal);
    },

    async sendTogether(config, messages, signal) {
      const id = messages[0]?.id ?? "";
      await mail(config, { id, subject: titleOfSeveral(messages), lines: linesOfSeveral(messages) }, signal);
    },
  };
}

/** Never in the server's own words, which may repeat what it was told. */
function wordOf(error: unknown, at: string): LockstepError {
  const { code, responseCode } = error as { readonly code?: unknown; readonly responseCode?: unknown };
  if (code === "EAUTH")
    return new LockstepError("CHANNEL_REFUSED", `The ${at} does not accept the password.`);
  if (typeof responseCode === "number" && responseCode >= 500)
    return new LockstepError("CHANNEL_REFUSED", `The ${at} answered ${responseCode}.`);
  if (typeof responseCode === "number")
    return new LockstepError("CHANNEL_UNAVAILABLE", `The ${at} answered ${responseCode}.`);
  return new LockstepError("CHANNEL_UNAVAILABLE", `Cannot reach the ${at}: ${reasonOf(error)}.`);
}
