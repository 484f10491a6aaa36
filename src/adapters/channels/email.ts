/** An e-mail over SMTP, encrypted unless the server is on this machine. */
import { rootCertificates } from "node:tls";
import { createTransport } from "nodemailer";
import type { JsonObject } from "../../core/json.ts";
import type { Channel } from "../../core/ports/channel.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { EmailChannel } from "../../protocol/alerts.ts";
import type { Connect } from "../outgoing/dial.ts";
import { type MailFailure, mailError, recipientsError } from "./email-errors.ts";
import { linesOf, linesOfSeveral, titleOf, titleOfSeveral } from "./words.ts";

const WITHIN_MS = 30_000;

/** nodemailer's answer, as far as it is used. */
interface Sent {
  readonly accepted: readonly string[];
  readonly rejectedErrors?: readonly MailFailure[];
}

export function createEmailChannel(connect: Connect): Channel {
  const mail = async (
    config: JsonObject,
    {
      id,
      subject,
      lines,
    }: { readonly id: string; readonly subject: string; readonly lines: readonly string[] },
    reached: readonly string[],
    signal: AbortSignal,
  ): Promise<void> => {
    const { host, port, tls, user, password, from, to, caCertificate } = config as unknown as EmailChannel;
    const mailing = { host, port, tls, hasLogin: user !== undefined };
    const recipients = to.filter((address) => !reached.includes(address));
    if (recipients.length === 0) return;
    let sent: Sent;
    try {
      sent = await withDeadline(signal, WITHIN_MS, async (limited) => {
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
          return (await transport.sendMail({
            from,
            to: recipients,
            subject,
            text: `${lines.join("\n\n")}\n`,
            messageId: `<${id}@lockstep>`,
            headers: { "Auto-Submitted": "auto-generated" },
          })) as Sent;
        } finally {
          limited.removeEventListener("abort", end);
          transport.close();
          line.destroy();
        }
      });
    } catch (error) {
      throw mailError(error, { ...mailing, reached });
    }
    // It answers as soon as one recipient was accepted.
    const missed = recipients.filter((address) => !sent.accepted.includes(address));
    if (missed.length === 0) return;
    const known = sent.rejectedErrors ?? [];
    const failures = missed.map(
      (recipient) => known.find((failure) => failure.recipient === recipient) ?? { recipient },
    );
    const has = to.filter((address) => !missed.includes(address));
    throw recipientsError(failures, { ...mailing, reached: has });
  };
  return {
    async send(config, message, signal, reached = []) {
      const { id } = message;
      await mail(config, { id, subject: titleOf(message), lines: linesOf(message) }, reached, signal);
    },

    async sendTogether(config, messages, signal, reached = []) {
      const id = messages[0]?.id ?? "";
      const text = { id, subject: titleOfSeveral(messages), lines: linesOfSeveral(messages) };
      await mail(config, text, reached, signal);
    },
  };
}
