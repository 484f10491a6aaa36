/** Live requests to one verifier: with each version that its rollout needs to know about. */
import { toLockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Prober } from "../../core/ports/prober.ts";
import type { Target } from "../../core/ports/target.ts";
import type { UsageAnswer } from "../../core/ports/usage-reader.ts";
import { probedVersions } from "../../core/rollout/gates.ts";
import type { Acceptance } from "../../core/rollout/member.ts";
import { slotsOf } from "../../core/rollout/slots.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import type { KnownBinding } from "../desired/known-values.ts";
import type { InstancesObservation } from "./observe-instances.ts";

/** One service that does not answer must not cost its neighbours their observation. */
const PROBE_WITHIN_MS = 25_000;

/**
 * From where a service is probed that listens on the target's machine alone: through the connection to it, or by its
 * agents, which have probed it already and reported.
 */
export interface ProbeOrigin extends Pick<Target, "prober" | "usageReader"> {
  readonly reported?: (bindingId: string) => ReportedAnswers;
}

/** What a service on the machine answered its agents. */
export interface ReportedAnswers {
  readonly acceptance: ReadonlyMap<number, Acceptance>;
  readonly usage: UsageAnswer;
}

/** By version; empty where the binding has no probe. */
export async function probeBinding(
  context: AppContext,
  origin: ProbeOrigin,
  { binding, versions, compromised }: KnownBinding,
  instances: InstancesObservation | null,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Acceptance>> {
  const { probe: written, counterProbed } = binding.options;
  const probe = written === null ? null : withConnections(written, instances);
  const answers = new Map<number, Acceptance>();
  if (probe === null || binding.role === "caller" || binding.rollout === null) return answers;
  if (isProbedFromTarget(probe) && origin.reported !== undefined)
    return origin.reported(binding.id).acceptance;
  const prober = proberFor(context, origin, probe);
  const versionsToProbe = probedVersions(binding.rollout, counterProbed);
  await withDeadline(signal, PROBE_WITHIN_MS, async (limited) => {
    for (const version of versionsToProbe) {
      const value = versions.get(version);
      // A compromised value goes nowhere any more, not even to be refused.
      if (value === undefined || compromised.has(version)) continue;
      answers.set(version, await probeOnce(prober, probe, value, limited));
    }
    const reload = reloadOf({ binding, versions, compromised }, probe);
    if (reload === null || answers.get(reload.wanted)?.verdict !== "refused") return;
    if ((await probeOnce(prober, probe, reload.by.value, limited)).verdict !== "accepted") return;
    await prober.reload?.(probe, reload.by.value, limited);
    for (const version of answers.keys()) {
      const value = versions.get(version);
      if (value !== undefined) answers.set(version, await probeOnce(prober, probe, value, limited));
    }
  });
  return answers;
}

export interface Reload {
  /** What stands at the service's place: refused, it has not been read yet. */
  readonly wanted: number;
  /** What it may accept still: by that it is told to read. */
  readonly by: { readonly version: number; readonly value: SecretValue };
}

/** Null: it need not be told to read its value, or nothing new stands there. */
export function reloadOf(
  { binding, versions, compromised }: KnownBinding,
  probe: JsonObject | null,
): Reload | null {
  const openclaw = probe?.["openclaw"];
  const isReloaded =
    typeof openclaw === "object" && openclaw !== null && (openclaw as JsonObject)["reload"] === true;
  if (!isReloaded || binding.rollout === null) return null;
  const { primary: wanted } = slotsOf(binding, binding.currentVersion, binding.rollout);
  const { fromVersion, toVersion } = binding.rollout;
  const other = wanted === toVersion ? fromVersion : toVersion;
  const value = other === null ? undefined : versions.get(other);
  if (wanted === null || other === null || value === undefined || compromised.has(other)) return null;
  return { wanted, by: { version: other, value } };
}

const MAX_CONNECTIONS = 30;

/**
 * Where all replicas are known to hold the same, one answer speaks for all. Otherwise so many fresh connections that a
 * balancer hardly leaves one out.
 */
export function withConnections(probe: JsonObject, instances: InstancesObservation | null): JsonObject {
  const http = probe["http"];
  if (instances === null || instances.replicas < 2 || instances.verdict.state === "right") return probe;
  if (typeof http !== "object" || http === null || Array.isArray(http)) return probe;
  const { connections } = http as JsonObject;
  const wanted = Math.max(5, 3 * instances.replicas, typeof connections === "number" ? connections : 1);
  return { ...probe, http: { ...http, connections: Math.min(MAX_CONNECTIONS, wanted) } };
}

export function proberFor(context: AppContext, origin: ProbeOrigin, probe: JsonObject): Prober {
  return isProbedFromTarget(probe) ? (origin.prober ?? NOBODY) : context.prober;
}

/** A specification that this release cannot read is that binding's own trouble, not its whole target's. */
export async function probeOnce(
  prober: Prober,
  probe: JsonObject,
  value: SecretValue,
  signal: AbortSignal,
): Promise<Acceptance> {
  try {
    return await prober.probe(probe, value, signal);
  } catch (error) {
    const { code } = toLockstepError(error);
    if (code !== "CONFIG_INVALID") throw error;
    return {
      verdict: "cannot-tell",
      reason: "its probe cannot be understood; apply the configuration again",
    };
  }
}

/** The service listens only there, or a command there tells. */
export function isProbedFromTarget(probe: JsonObject): boolean {
  if ("command" in probe || "openclaw" in probe) return true;
  const http = probe["http"];
  return typeof http === "object" && http !== null && (http as JsonObject)["from"] === "target";
}

const NOBODY: Prober = {
  probe: async () => ({ verdict: "cannot-tell", reason: "nobody can ask from this kind of target" }),
};
