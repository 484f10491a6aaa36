/** Which target is meant. */
import { LockstepError } from "../../core/errors.ts";
import { didYouMean } from "../../protocol/config-problem.ts";
import type { ApiClient } from "./client.ts";

/** Throws NOT_FOUND for a name that exists nowhere, USAGE for one that exists in several environments. */
export async function resolveTarget(
  api: ApiClient,
  name: string,
  environment: string | undefined,
): Promise<{ readonly environment: string; readonly name: string }> {
  if (environment !== undefined) return { environment, name };
  const { targets } = await api.call("listTargets");
  const found = targets.filter((target) => target.name === name);
  if (found.length > 1) {
    const environments = found.map((target) => target.environment).join(", ");
    throw new LockstepError(
      "USAGE",
      `Cannot tell which "${name}" is meant: there is one in ${environments}.`,
      {
        hint: "Add --environment.",
      },
    );
  }
  if (found[0] !== undefined) return { environment: found[0].environment, name };
  const near = didYouMean(
    name,
    targets.map((target) => target.name),
  );
  throw new LockstepError("NOT_FOUND", `There is no target "${name}".`, {
    hint: near ?? "`lockstep target list` shows the targets.",
  });
}
