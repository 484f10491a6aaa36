/** Reads the use counts that `lockstep/verify` serves (`src/sdk/verify/usage-report.ts`), on fresh connections. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { LockstepError } from "../../core/errors.ts";
import type { UsageQuestion, UsageReader } from "../../core/ports/usage-reader.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { pause } from "../../lib/pause.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { type Usage, usageSchema } from "../../protocol/usage.ts";
import { type Connect, createDial, type DialOptions } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { NoAnswer, reasonOf } from "../outgoing/reasons.ts";
import {
  cannotTellUsage,
  MAX_REPORT_BYTES,
  parseUsageReport,
  recognised,
  type Told,
  together,
} from "./usage-report.ts";

const GAP_MS = 100;

type UsageUrl = Usage & { readonly url: string };

/** For `from: server`. */
export function createServerUsageReader(options: DialOptions): UsageReader {
  return createUsageReader(createDial(options), "server");
}

/** `from`: whose connections these are; the other's questions are not asked. */
export function createUsageReader(connect: Connect, from: Usage["from"]): UsageReader {
  return {
    async readUsage(raw, question, signal) {
      const parsed = usageSchema.safeParse(raw);
      if (!parsed.success) throw new LockstepError("CONFIG_INVALID", "`usage` is not valid");
      const { url, ...rest } = parsed.data;
      if (url === undefined || rest.from !== from)
        return cannotTellUsage("its counts cannot be read from there");
      const spec: UsageUrl = { url, ...rest };
      const told: Told[] = [];
      try {
        while (told.length < spec.connections) {
          if (told.length > 0) await pause(GAP_MS, signal);
          told.push(await readOnce(connect, spec, question, signal));
        }
      } catch (error) {
        if (signal.aborted) return cannotTellUsage("given up");
        return cannotTellUsage(
          error instanceof TooLate ? `no answer within ${spec.timeoutSeconds} s` : reasonOf(error),
        );
      }
      return together(told);
    },
  };
}

async function readOnce(
  connect: Connect,
  spec: UsageUrl,
  { tokens, versions }: UsageQuestion,
  signal: AbortSignal,
): Promise<Told> {
  const nonce = randomBytes(32).toString("base64url");
  let refusal: NoAnswer = new NoAnswer("there is no token to read its counts with");
  for (const token of tokens) {
    const answer = await withDeadline(signal, spec.timeoutSeconds * 1_000, (limited) =>
      exchange(connect, question(spec, token, nonce), reportOf, limited),
    );
    if (answer.status === 200) {
      const report = parseUsageReport(answer.body);
      // An answer that was kept by somebody proves nothing about now.
      if (report.nonce !== nonce) throw new NoAnswer("its counts answer another question");
      return recognised(report, versions);
    }
    refusal = new NoAnswer(`its counts were answered with ${answer.status}`);
    if (answer.status !== 401) break;
  }
  throw refusal;
}

function question({ url, caCertificate }: UsageUrl, token: SecretValue, nonce: string) {
  const revealed = token.reveal();
  if (!/^[\x21-\x7e]+$/.test(revealed))
    throw new NoAnswer("the token for its counts does not fit into a header");
  return {
    url: new URL(url),
    method: "POST",
    headers: { Authorization: `Bearer ${revealed}`, "Content-Type": "application/json" },
    body: Buffer.from(JSON.stringify({ nonce })),
    caCertificate,
  };
}

async function reportOf(
  answer: IncomingMessage,
): Promise<{ readonly status: number; readonly body: string }> {
  const status = answer.statusCode ?? 0;
  if (status !== 200) return { status, body: "" };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_REPORT_BYTES) throw new NoAnswer("its counts are longer than any report is");
    chunks.push(chunk as Buffer);
  }
  return { status, body: Buffer.concat(chunks).toString("utf8") };
}
