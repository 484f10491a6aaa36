/** `lockstep target test`: credential, address and rights of one target, without changing anything there. */
import { LockstepError } from "../../core/errors.ts";
import { failedCheck } from "../../core/failed-check.ts";
import type { Exposure, ProbeCheck, ProbeResult, Target } from "../../core/ports/target.ts";
import type { TargetCapabilities } from "../../core/ports/target-kind.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf, withTarget } from "./open-target.ts";

export interface TestedTarget {
  readonly target: string;
  readonly environment: string;
  readonly kind: string;
  readonly ok: boolean;
  readonly checks: readonly ProbeCheck[];
  readonly capabilities: TargetCapabilities;
}

/** Throws NOT_FOUND. What is wrong with the place is an answer. */
export async function testTarget(
  context: AppContext,
  { environment, name }: { readonly environment: string; readonly name: string },
  signal: AbortSignal,
): Promise<TestedTarget> {
  const record = await context.store.read.targets.findByName(environment, name);
  if (record === null) {
    throw new LockstepError("NOT_FOUND", `There is no target "${name}" in ${environment}.`, {
      hint: "`lockstep target list` shows the targets.",
    });
  }
  const known = { target: record.name, environment: record.environment, kind: record.kind };
  const kind = kindOf(context, record.kind);
  const capabilities = kind.capabilities(record.config);
  try {
    const { ok, checks, exposures } = await withTarget(
      context,
      record,
      (target) => probe(context, record, target, signal),
      { purpose: "background" },
    );
    if (kind.delivery === "direct") await remember(context, record.id, checks, exposures);
    return { ...known, ok, checks, capabilities };
  } catch (error) {
    return {
      ...known,
      ok: false,
      checks: [failedCheck("open", error)],
      capabilities,
    };
  }
}

/** Once a day this also finds copies for restoring that nobody knows of; the sweep removes them. */
async function probe(
  context: AppContext,
  { id }: TargetRecord,
  target: Target,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const result = await target.probe(signal);
  const placements = await context.store.read.keptCopies.placementsOf(id);
  const kept = await target.restorer?.kept(placements, signal).catch(() => []);
  if (kept !== undefined && kept.length > 0)
    await context.store.transaction((tx) => tx.keptCopies.found(id, kept));
  return result;
}

/** For doctor; what a reporting place says of itself, it says again and again. */
async function remember(
  context: AppContext,
  targetId: string,
  checks: readonly ProbeCheck[],
  exposures: readonly Exposure[] | undefined,
): Promise<void> {
  const failures = checks.flatMap(({ name, ok, message }) => (ok ? [] : [{ name, message }]));
  await context.store.transaction((tx) => tx.checks.recordTest(targetId, failures, exposures ?? null));
}
