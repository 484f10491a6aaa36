/** `lockstep status`: every secret at every place, from what was recorded. It asks no place; `check` does. */

import { type SetBack, seenText } from "../../core/set-back.ts";
import type { SecretRow } from "../../core/store/views.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { SetBackView } from "../../protocol/api-epoch.ts";
import type { SecretStatus, StatusAnswer } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";
import { bindingStatus } from "./binding-status.ts";

export async function viewStatus(
  context: AppContext,
  filter: { readonly environment?: string },
): Promise<StatusAnswer> {
  const { views, meta } = context.store.read;
  const setBack = await meta.setBack();
  const [secrets, bindings] = await Promise.all([views.secrets(filter), views.bindings(filter)]);
  const bySecret = groupBy(bindings, (binding) => binding.secretId);
  return {
    secrets: secrets.map((secret) => ({
      ...secretStatusOf(secret),
      bindings: (bySecret.get(secret.id) ?? []).map(bindingStatus),
    })),
    setBack: setBack === null ? null : setBackView(setBack),
  };
}

export function secretStatusOf({
  name,
  environment,
  currentVersion,
  currentSince,
  expiresAt,
}: SecretRow): Omit<SecretStatus, "bindings"> {
  return {
    name,
    environment,
    current: currentVersion,
    currentSince: currentSince?.toISOString() ?? null,
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}

export function setBackView(setBack: SetBack): SetBackView {
  const { at, target, environment, by } = setBack;
  return { at: at.toISOString(), target, environment, by, seen: seenText(setBack) };
}
