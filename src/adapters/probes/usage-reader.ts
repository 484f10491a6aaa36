/** Reads the use counts that `lockstep/verify` serves (`src/sdk/verify/usage-report.ts`), on fresh connections. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { LockstepError } from "../../core/errors.ts";
import type { UsageAnswer, UsageQuestion, UsageReader } from "../../core/ports/usage-reader.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { pause } from "../../lib/pause.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { type Usage, usageSchema } from "../../protocol/usage.ts";
import { type Connect, createDial, type DialOptions } from "./dial.ts";
import { exchange, TooLate } from "./exchange.ts";
import { NoAnswer, reasonOf } from "./reasons.ts";

const GAP_MS = 100;
/** A report of 100 callers and 32 gone values is below 300 KB. */
const MAX_REPORT_BYTES = 1_048_576;

const instant = z.iso.datetime({ precision: 3 });
const usage = z.object({ lastUsedAt: instant.nullable(), heldSince: instant });
const slot = usage.extend({ answer: z.string().regex(/^[0-9a-f]{64}$/) });
const reportSchema = z.object({
  v: z.literal(1),
  at: instant,
  nonce: z.string(),
  slots: z.object({ primary: slot.nullable(), fallback: slot.nullable() }),
});
type Report = z.output<typeof reportSchema>;

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
      if (parsed.data.from !== from) return cannotTell("its counts cannot be read from there");
      const told: Told[] = [];
      try {
        while (told.length < parsed.data.connections) {
          if (told.length > 0) await pause(GAP_MS, signal);
          told.push(await readOnce(connect, parsed.data, question, signal));
        }
      } catch (error) {
        if (signal.aborted) return cannotTell("given up");
        return cannotTell(
          error instanceof TooLate ? `no answer within ${parsed.data.timeoutSeconds} s` : reasonOf(error),
        );
      }
      return together(told);
    },
  };
}

function cannotTell(reason: string): UsageAnswer {
  return { state: "cannot-tell", reason };
}

interface Told {
  readonly holds: ReadonlySet<number>;
  readonly usedAgoMs: ReadonlyMap<number, number>;
}

/** A version counts as held only where every process holds it, and was used last when any of them used it last. */
function together(told: readonly Told[]): UsageAnswer {
  const usedAgoMs = new Map<number, number>();
  for (const one of told) {
    for (const [version, agoMs] of one.usedAgoMs)
      usedAgoMs.set(version, Math.min(agoMs, usedAgoMs.get(version) ?? Number.POSITIVE_INFINITY));
  }
  const holds = [...usedAgoMs.keys()].filter((version) => told.every((one) => one.holds.has(version)));
  return { state: "told", holds, usedAgoMs };
}

async function readOnce(
  connect: Connect,
  spec: Usage,
  { tokens, versions }: UsageQuestion,
  signal: AbortSignal,
): Promise<Told> {
  const nonce = randomBytes(32).toString("base64url");
  let refusal: NoAnswer = new NoAnswer("there is no token to read its counts with");
  for (const token of tokens) {
    const answer = await withDeadline(signal, spec.timeoutSeconds * 1_000, (limited) =>
      exchange(connect, question(spec, token, nonce), reportOf, limited),
    );
    if (answer.status === 200) return recognised(parse(answer.body, nonce), nonce, versions);
    refusal = new NoAnswer(`its counts were answered with ${answer.status}`);
    if (answer.status !== 401) break;
  }
  throw refusal;
}

function question({ url, caCertificate }: Usage, token: SecretValue, nonce: string) {
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

function parse(body: string, nonce: string): Report {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new NoAnswer("what answered is no report of lockstep/verify");
  }
  const report = reportSchema.safeParse(json);
  if (!report.success) throw new NoAnswer("what answered is no report of lockstep/verify");
  // An answer that was kept by somebody proves nothing about now.
  if (report.data.nonce !== nonce) throw new NoAnswer("its counts answer another question");
  return report.data;
}

/** What was never used may have been used before counting began: its quiet time begins there. */
function recognised({ slots, at }: Report, nonce: string, versions: ReadonlyMap<number, SecretValue>): Told {
  const bytes = Buffer.from(nonce, "base64url");
  const usedAgoMs = new Map<number, number>();
  for (const held of [slots.primary, slots.fallback]) {
    if (held === null) continue;
    for (const [version, value] of versions) {
      const expected = createHash("sha256").update(bytes).update(value.reveal(), "utf8").digest();
      if (timingSafeEqual(expected, Buffer.from(held.answer, "hex")))
        usedAgoMs.set(version, Math.max(0, Date.parse(at) - Date.parse(held.lastUsedAt ?? held.heldSince)));
    }
  }
  return { holds: new Set(usedAgoMs.keys()), usedAgoMs };
}
