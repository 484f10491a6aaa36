/** `lockstep check`: asks the places now. */
import { LockstepError } from "../../core/errors.ts";
import type { CheckAnswer } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";
import { checkTargets } from "./check-targets.ts";

/** Throws NOT_FOUND when no target is meant, so that looking at nothing never reads as "all is well". */
export async function checkNow(
  context: AppContext,
  filter: { readonly environment?: string; readonly target?: string },
  signal: AbortSignal,
): Promise<CheckAnswer> {
  const { read } = context.store;
  const meant = (await read.views.targets(filter)).filter(
    ({ name }) => filter.target === undefined || name === filter.target,
  );
  const records = await Promise.all(
    meant.map(({ environment, name }) => read.targets.findByName(environment, name)),
  );
  const targets = records.filter((record) => record !== null);
  if (targets.length === 0) {
    throw new LockstepError("NOT_FOUND", "Cannot check: there is no such target.", {
      hint: "`lockstep target list` shows the targets.",
    });
  }
  const checked = await checkTargets(context, targets, signal);
  return {
    targets: checked.map((result, index) => ({
      target: result.target,
      environment: targets[index]?.environment ?? "",
      error:
        result.error === null
          ? null
          : { code: result.error.code, message: result.error.message, hint: result.error.hint },
      bindings: result.bindings.map(({ secret, placement, key, state, reason }) => ({
        secret,
        placement,
        key,
        state,
        reason,
      })),
    })),
  };
}
