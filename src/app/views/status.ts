/** `lockstep status`: every secret at every place, from what was recorded. It asks no place; `check` does. */

import { groupBy } from "../../lib/group-by.ts";
import type { StatusAnswer } from "../../protocol/api-views.ts";
import type { AppContext } from "../context.ts";
import { bindingStatus } from "./binding-status.ts";

export async function viewStatus(
  context: AppContext,
  filter: { readonly environment?: string },
): Promise<StatusAnswer> {
  const { views } = context.store.read;
  const [secrets, bindings] = await Promise.all([views.secrets(filter), views.bindings(filter)]);
  const bySecret = groupBy(bindings, (binding) => binding.secretId);
  return {
    secrets: secrets.map((secret) => ({
      name: secret.name,
      environment: secret.environment,
      current: secret.currentVersion,
      bindings: (bySecret.get(secret.id) ?? []).map(bindingStatus),
    })),
  };
}
