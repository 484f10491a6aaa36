/**
 * Puts a bundle's questions to what runs on this machine, each only where the machine's owner allows it. Asking changes
 * nothing here, and its answer is the service's: what cannot be asked or read is told as that.
 */
import { createDial } from "../../../adapters/outgoing/dial.ts";
import { createHostProber } from "../../../adapters/probes/host-prober.ts";
import { cannotTell } from "../../../adapters/probes/http-prober.ts";
import { parseProbe } from "../../../adapters/probes/spec.ts";
import { createUsageFileReader } from "../../../adapters/probes/usage-file-reader.ts";
import { createUsageReader } from "../../../adapters/probes/usage-reader.ts";
import { cannotTellUsage } from "../../../adapters/probes/usage-report.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { ProbeAnswer } from "../../../core/ports/prober.ts";
import type { UsageAnswer } from "../../../core/ports/usage-reader.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { mapLimited } from "../../../lib/map-limited.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import type { BundleAsk, ReportedAnswer } from "../../../protocol/agent/asks.ts";
import { urlsOf } from "../../../protocol/probe.ts";
import type { Allowed } from "../apply/allowed.ts";

export interface AskOptions {
  readonly host: Pick<Host, "read">;
  readonly nowMs: () => number;
  /** When the unit that is asked was last started by us; null: not by us. */
  readonly startedAtMs: number | null;
}

type MayAsk = Pick<Allowed, "mayAsk">;

const AT_ONCE = 4;
/** A service that does not answer costs the others their look no longer than this. */
const WITHIN_MS = 25_000;
const NOT_ALLOWED = "the policy of its machine does not allow the question";
const NOT_UNDERSTOOD = "its agent does not understand the question; it may be of another release";

/** Loopback is all that it reaches, by what a specification may say; the agent itself listens nowhere. */
const connect = createDial({ ownListeners: () => [] });
const prober = createHostProber({ host: null, connect });

/** Of questions with something to ask about. Never throws. */
export async function askServices(
  asks: readonly BundleAsk[],
  allowed: MayAsk,
  options: AskOptions,
  signal: AbortSignal,
): Promise<readonly ReportedAnswer[]> {
  const due = asks.filter(({ versions }) => versions.length > 0);
  return await mapLimited(due, AT_ONCE, async (ask): Promise<ReportedAnswer> => {
    return await withDeadline(signal, WITHIN_MS, async (limited): Promise<ReportedAnswer> => {
      const acceptance = ask.probe === null ? [] : [...(await probeAll(ask.probe, ask, allowed, limited))];
      const usage = ask.usage === null ? null : told(await readUsage(ask, allowed, options, limited));
      return { bindingId: ask.bindingId, acceptance, usage };
    });
  });
}

/** Once more after the service was told to read what stands there, where it has not yet. */
async function probeAll(
  raw: NonNullable<BundleAsk["probe"]>,
  { versions, reload }: BundleAsk,
  allowed: MayAsk,
  signal: AbortSignal,
): Promise<Readonly<ReportedAnswer["acceptance"]>> {
  const ask = async () =>
    await mapLimited(versions, 1, async ({ version, value }) => ({
      version,
      ...(await askAbout(raw, SecretValue.of(value), allowed, signal)),
    }));
  const answers = await ask();
  if (answers.find(({ version }) => version === reload?.wanted)?.verdict !== "refused") return answers;
  const by = SecretValue.of(reload?.by.value ?? "");
  if ((await askAbout(raw, by, allowed, signal)).verdict !== "accepted") return answers;
  await prober.reload?.(raw, by, signal);
  return await ask();
}

/** What a service of this machine says about one value; where it may not be asked, that it cannot be told. */
export async function askAbout(
  raw: NonNullable<BundleAsk["probe"]>,
  value: SecretValue,
  { mayAsk }: MayAsk,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const spec = understood(() => parseProbe(raw));
  if (spec === null || spec.command !== undefined || spec.http?.from === "server")
    return cannotTell(NOT_UNDERSTOOD);
  if (urlsOf(spec).some((url) => !mayAsk({ url }))) return cannotTell(NOT_ALLOWED);
  return await prober.probe(raw, value, signal);
}

async function readUsage(
  { usage, versions, tokens }: BundleAsk,
  { mayAsk }: MayAsk,
  options: AskOptions,
  signal: AbortSignal,
): Promise<UsageAnswer> {
  const spec = (usage ?? {}) as JsonObject;
  const { url, file } = spec;
  if (typeof url === "string" ? !mayAsk({ url }) : !mayAsk({ file: String(file) }))
    return cannotTellUsage(NOT_ALLOWED);
  const reader =
    typeof url === "string" ? createUsageReader(connect, "target") : createUsageFileReader(options);
  const question = {
    tokens: tokens.map((token) => SecretValue.of(token)),
    versions: new Map(versions.map(({ version, value }) => [version, SecretValue.of(value)])),
  };
  try {
    return await reader.readUsage(spec, question, signal);
  } catch {
    return cannotTellUsage(NOT_UNDERSTOOD);
  }
}

function told(answer: UsageAnswer): ReportedAnswer["usage"] {
  if (answer.state === "cannot-tell") return { state: "cannot-tell", reason: answer.reason };
  const used = [...answer.usedAgoMs].map(([version, agoMs]) => ({ version, agoMs: Math.round(agoMs) }));
  return { state: "told", holds: [...answer.holds], used };
}

function understood<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
