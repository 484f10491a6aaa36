/** A report of `lockstep/verify` (`src/sdk/verify/usage-report.ts`), read: which of our versions it means, used when. */
import { createHash, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { UsageAnswer, Users } from "../../core/ports/usage-reader.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { NoAnswer } from "../outgoing/reasons.ts";

/** A report of 100 callers and 32 gone values is below 300 KB. */
export const MAX_REPORT_BYTES = 1_048_576;

/** For a person to recognise one; the report has them all. */
const MAX_CALLERS_TOLD = 5;

const instant = z.iso.datetime({ precision: 3 });
/** As `lockstep/verify` takes them; a report is foreign text. */
const caller = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const usage = z.object({
  lastUsedAt: instant.nullable(),
  heldSince: instant,
  callers: z.record(caller, z.object({ lastUsedAt: instant.nullable() })).catch({}),
});
const slot = usage.extend({ answer: z.string().regex(/^[0-9a-f]{64}$/) });
const reportSchema = z.object({
  v: z.literal(1),
  at: instant,
  nonce: z.string(),
  slots: z.object({ primary: slot.nullable(), fallback: slot.nullable() }),
});
export type UsageReport = z.output<typeof reportSchema>;

export interface Told {
  readonly holds: ReadonlySet<number>;
  readonly usedAgoMs: ReadonlyMap<number, number>;
  readonly users: ReadonlyMap<number, Users>;
}

export function cannotTellUsage(reason: string): UsageAnswer {
  return { state: "cannot-tell", reason };
}

/** A version counts as held only where every process holds it, and was used last when any of them used it last. */
export function together(told: readonly Told[]): UsageAnswer {
  const usedAgoMs = new Map<number, number>();
  for (const one of told) {
    for (const [version, agoMs] of one.usedAgoMs)
      usedAgoMs.set(version, Math.min(agoMs, usedAgoMs.get(version) ?? Number.POSITIVE_INFINITY));
  }
  const holds = [...usedAgoMs.keys()].filter((version) => told.every((one) => one.holds.has(version)));
  return { state: "told", holds, usedAgoMs, users: usersOf(told) };
}

function usersOf(told: readonly Told[]): ReadonlyMap<number, Users> {
  const users = new Map<number, Users>();
  for (const [version, { agoMs, callers }] of told.flatMap((one) => [...one.users])) {
    const known = users.get(version);
    users.set(version, {
      agoMs: Math.min(agoMs, known?.agoMs ?? agoMs),
      callers: [...new Set([...(known?.callers ?? []), ...callers])].slice(0, MAX_CALLERS_TOLD),
    });
  }
  return users;
}

/** Throws NoAnswer. */
export function parseUsageReport(body: string): UsageReport {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw new NoAnswer("what was read is no report of lockstep/verify");
  }
  const report = reportSchema.safeParse(json);
  if (!report.success) throw new NoAnswer("what was read is no report of lockstep/verify");
  return report.data;
}

/** What was never used may have been used before counting began: its quiet time begins there. */
export function recognised(
  { slots, at, nonce }: UsageReport,
  versions: ReadonlyMap<number, SecretValue>,
): Told {
  const bytes = Buffer.from(nonce, "base64url");
  const usedAgoMs = new Map<number, number>();
  const users = new Map<number, Users>();
  const agoMs = (instantText: string): number => Math.max(0, Date.parse(at) - Date.parse(instantText));
  for (const held of [slots.primary, slots.fallback]) {
    if (held === null) continue;
    for (const [version, value] of versions) {
      const expected = createHash("sha256").update(bytes).update(value.reveal(), "utf8").digest();
      if (!timingSafeEqual(expected, Buffer.from(held.answer, "hex"))) continue;
      usedAgoMs.set(version, agoMs(held.lastUsedAt ?? held.heldSince));
      if (held.lastUsedAt !== null)
        users.set(version, { agoMs: agoMs(held.lastUsedAt), callers: latest(held.callers) });
    }
  }
  return { holds: new Set(usedAgoMs.keys()), usedAgoMs, users };
}

function latest(
  callers: Readonly<Record<string, { readonly lastUsedAt: string | null }>>,
): readonly string[] {
  return Object.entries(callers)
    .flatMap(([name, { lastUsedAt }]) => (lastUsedAt === null ? [] : [{ name, lastUsedAt }]))
    .sort((a, b) => b.lastUsedAt.localeCompare(a.lastUsedAt))
    .slice(0, MAX_CALLERS_TOLD)
    .map(({ name }) => name);
}
