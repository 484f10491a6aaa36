/** The application's own word about one verifier: by live requests, by what it reports of itself, or both. */
import { toLockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { UsageAnswer, UsageQuestion, UsageReader } from "../../core/ports/usage-reader.ts";
import { probedVersions } from "../../core/rollout/gates.ts";
import type { Acceptance } from "../../core/rollout/member.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { LoopBinding, UsedBy } from "../../core/store/targets.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import type { KnownBinding } from "../desired/known-values.ts";
import { openFields } from "../values/secret-fields.ts";
import type { InstancesObservation } from "./observe-instances.ts";
import { type ProbeOrigin, probeBinding } from "./probe-binding.ts";

export interface VerifierObservation {
  readonly acceptance: ReadonlyMap<number, Acceptance>;
  /** The acceptance is what it said of itself. */
  readonly isReported: boolean;
  /** When its processes counted the last use, by version, ISO 8601 of the store's clock; null: nobody counts. */
  readonly used: Readonly<Record<string, string>> | null;
  /** By version: when it was surely used last, and by whom. Null: nobody tells. */
  readonly usedBy: UsedBy | null;
}

const READ_WITHIN_MS = 25_000;
const nothing = (): VerifierObservation => ({
  acceptance: new Map(),
  isReported: false,
  used: null,
  usedBy: null,
});

export async function observeVerifier(
  context: AppContext,
  origin: ProbeOrigin,
  known: KnownBinding,
  instances: InstancesObservation | null,
  signal: AbortSignal,
): Promise<VerifierObservation> {
  const { probe, usage } = known.binding.options;
  if (known.binding.role === "caller") return nothing();
  const counted = usage === null ? null : await readUsage(context, origin, { known, usage }, signal);
  if (probe === null && counted !== null) return counted;
  const acceptance = await probeBinding(context, origin, known, instances, signal);
  return { acceptance, isReported: false, used: counted?.used ?? null, usedBy: counted?.usedBy ?? null };
}

async function readUsage(
  context: AppContext,
  origin: ProbeOrigin,
  { known: { binding, versions }, usage }: { readonly known: KnownBinding; readonly usage: JsonObject },
  signal: AbortSignal,
): Promise<VerifierObservation> {
  if (binding.rollout === null) return nothing();
  const answer = await ask();
  const asked = probedVersions(binding.rollout);
  // The store's clock after the answer: an age that was told before is never made longer by it.
  const nowMs = await context.store.read.meta.storeNow();
  if (answer.state === "cannot-tell") {
    const unknown: Acceptance = { verdict: "cannot-tell", reason: answer.reason };
    return {
      acceptance: new Map(asked.map((version) => [version, unknown])),
      isReported: true,
      used: usedWhenUnknown(binding, nowMs),
      usedBy: null,
    };
  }
  const acceptance = new Map(
    asked.map((version): [number, Acceptance] => [
      version,
      answer.holds.includes(version)
        ? { verdict: "accepted", reason: "its process says that it accepts it" }
        : { verdict: "refused", reason: "its process says that it does not hold it" },
    ]),
  );
  const used = Object.fromEntries(
    [...answer.usedAgoMs].map(([version, agoMs]) => [version, new Date(nowMs - agoMs).toISOString()]),
  );
  const { users } = answer;
  const usedBy =
    users === undefined
      ? null
      : Object.fromEntries(
          [...users].map(([version, { agoMs, callers }]) => [
            version,
            { at: new Date(nowMs - agoMs).toISOString(), callers },
          ]),
        );
  return { acceptance, isReported: true, used, usedBy };

  async function ask(): Promise<UsageAnswer> {
    const isAtTarget = isReadAtTarget(usage);
    if (isAtTarget && origin.reported !== undefined) return origin.reported(binding.id).usage;
    const reader = isAtTarget ? (origin.usageReader ?? NOBODY) : context.usageReader;
    const tokens = await tokensOf(context, binding.secretId, usage);
    return await withDeadline(signal, READ_WITHIN_MS, (limited) =>
      read(reader, usage, { tokens, versions }, limited),
    );
  }
}

/** The counts are served, or stand in a file, where only the target's machine reaches them. */
export function isReadAtTarget(usage: JsonObject): boolean {
  return usage["from"] === "target" || "file" in usage;
}

/** Nobody knows whether the old value is used now, so that it counts as used: silence must have been heard. */
export function usedWhenUnknown(
  { options, rollout }: LoopBinding,
  nowMs: number,
): VerifierObservation["used"] {
  const from = rollout?.fromVersion ?? null;
  if (options.usage === null || from === null) return null;
  return { [from]: new Date(nowMs).toISOString() };
}

/** A specification that this release cannot read is that binding's own trouble, not its whole target's. */
async function read(
  reader: UsageReader,
  usage: JsonObject,
  question: UsageQuestion,
  signal: AbortSignal,
): Promise<UsageAnswer> {
  try {
    return await reader.readUsage(usage, question, signal);
  } catch (error) {
    if (toLockstepError(error).code !== "CONFIG_INVALID") throw error;
    return {
      state: "cannot-tell",
      reason: "its `usage` cannot be understood; apply the configuration again",
    };
  }
}

/** The endpoint may still know the one before. Empty where none is needed. */
async function tokensOf(
  context: AppContext,
  secretId: string,
  usage: JsonObject,
): Promise<readonly SecretValue[]> {
  const name = usage["token"];
  if (typeof name !== "string") return [];
  const stored = context.store.read;
  const own = await stored.secrets.findById(secretId);
  const secret = own === null ? null : await stored.secrets.find(own.environment, name);
  if (secret === null) return [];
  const usable = (await stored.secrets.versions(secret.id)).filter(
    ({ state, compromisedAt }) =>
      compromisedAt === null && (state === "current" || state === "staged" || state === "retiring"),
  );
  const opened = await Promise.all(
    usable.map(({ version }) => openFields(context, stored, secret.id, version)),
  );
  return opened.flatMap((fields) => fields.get(PLAIN_FIELD) ?? []);
}

const NOBODY: UsageReader = {
  readUsage: async () => ({ state: "cannot-tell", reason: "nobody can ask from this kind of target" }),
};
