/** What kinds say of the targets that a configuration names: what forbids applying, and what is only told. Pure. */
import type { ConfigProblem } from "../../protocol/config-problem.ts";
import type { TargetKind } from "../ports/target-kind.ts";
import type { PlanProblem } from "./check-difference.ts";
import type { DesiredBinding, DesiredConfig } from "./desired-config.ts";

export interface Remarks {
  readonly problems: readonly PlanProblem[];
  readonly warnings: readonly ConfigProblem[];
}

export function checkRemarks(desired: DesiredConfig, kinds: ReadonlyMap<string, TargetKind>): Remarks {
  const problems: PlanProblem[] = [];
  const warnings: ConfigProblem[] = [];
  for (const target of desired.targets) {
    const bindings = desired.bindings.filter(
      (one) => one.target === target.name && one.targetEnvironment === target.environment,
    );
    const isShown = bindings.every(showsUse);
    for (const { path, code, message, remedy } of kinds.get(target.kind)?.remarks?.(target.config) ?? []) {
      const told = { path: [...target.path, ...path], message, remedy };
      if (code !== undefined) problems.push({ ...told, code });
      else if (!isShown) warnings.push(told);
    }
  }
  return { problems, warnings };
}

/** By something else than a restart: an attestation, or an application that is asked. */
function showsUse({ options, role }: DesiredBinding): boolean {
  const isAsked = options["probe"] !== undefined || options["usage"] !== undefined;
  return options["evidence"] === "attested" || (role === "verifier" && isAsked);
}
