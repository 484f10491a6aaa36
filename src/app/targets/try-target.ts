/**
 * `target test` for a target that is not applied yet: the credential comes with the request and ends with it. No stored
 * credential is used, so none can be led to a new address.
 */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { failedCheck } from "../../core/failed-check.ts";
import { targetKindOf } from "../../core/plan/check-config.ts";
import type { ProbeCheck } from "../../core/ports/target.ts";
import type { TargetCapabilities, TargetKind } from "../../core/ports/target-kind.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { TargetConfig } from "../../protocol/config.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf, openTarget } from "./open-target.ts";

export interface TriedTarget {
  readonly kind: string;
  readonly ok: boolean;
  readonly checks: readonly ProbeCheck[];
  readonly capabilities: TargetCapabilities;
}

/** Throws CONFIG_INVALID for what lockstep.yaml may not say. What is wrong with the place is an answer. */
export async function tryTarget(
  context: AppContext,
  given: TargetConfig,
  signal: AbortSignal,
): Promise<TriedTarget> {
  const named = targetKindOf(given, context.targetKinds.keys());
  if (named === null) {
    throw new LockstepError("INPUT_INVALID", "Cannot try the target: it must name exactly one kind.", {
      details: { path: ["target"] },
    });
  }
  const kind = kindOf(context, named);
  const { config, credentials } = parsed(kind, given);
  for (const credential of Object.values(credentials ?? {})) {
    if (typeof credential === "string") context.hideFromLog(SecretValue.of(credential));
  }
  const capabilities = kind.capabilities(config);
  try {
    const opening = {
      kind: named,
      name: "new",
      config,
      storedAt: null,
      credentials: async () => credentials,
    };
    const target = await openTarget(context, opening, { purpose: "background" });
    try {
      return { kind: named, capabilities, ...(await target.probe(signal)) };
    } finally {
      await target.close();
    }
  } catch (error) {
    const checks = [failedCheck("open", error)];
    return { kind: named, capabilities, ok: false, checks };
  }
}

/** Here nothing else says which key is meant. */
function parsed(kind: TargetKind, given: TargetConfig): ReturnType<TargetKind["parse"]> {
  try {
    return kind.parse(given);
  } catch (error) {
    const { code, message, details } = toLockstepError(error);
    const path = details["path"];
    if (code !== "CONFIG_INVALID" || !Array.isArray(path) || path.length === 0) throw error;
    throw new LockstepError(code, `${path.join(".")}: ${message}`, { details });
  }
}
