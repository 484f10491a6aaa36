/** `lockstep status`: every secret at every place, from what was recorded. It asks no place; `check` does. */

import { type SetBack, seenText } from "../../core/set-back.ts";
import type { SecretRow } from "../../core/store/views.ts";
import { type Keys, pageOf } from "../../lib/cursor.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { SetBackView } from "../../protocol/api-epoch.ts";
import type { SecretStatus, StatusAnswer } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";
import { bindingStatus } from "./binding-status.ts";
import { pageAfter } from "./page-after.ts";

export interface StatusFilter {
  readonly environment?: string;
  /** Of secrets, each with all of its bindings; left out: all of them. */
  readonly limit?: number;
  /** `next` of an earlier answer. */
  readonly after?: string;
}

export async function viewStatus(
  context: AppContext,
  { environment, limit, after }: StatusFilter,
): Promise<StatusAnswer> {
  const { views, meta } = context.store.read;
  const setBack = await meta.setBack();
  const filter = environment === undefined ? {} : { environment };
  const { secrets, bindings, next } =
    limit === undefined
      ? { secrets: await views.secrets(filter), bindings: await views.bindings(filter), next: null }
      : await statusPage(context, { ...filter, ...pageAfter(after) }, limit);
  const bySecret = groupBy(bindings, (binding) => binding.secretId);
  return {
    next,
    secrets: secrets.map((secret) => ({
      ...secretStatusOf(secret),
      bindings: (bySecret.get(secret.id) ?? []).map(bindingStatus),
    })),
    setBack: setBack === null ? null : setBackView(setBack),
  };
}

async function statusPage(
  context: AppContext,
  filter: { readonly environment?: string; readonly after?: Keys },
  limit: number,
) {
  const { views } = context.store.read;
  const found = await views.secrets({ ...filter, limit: limit + 1 });
  const { rows: secrets, next } = pageOf(found, limit, (last) => [last.environment, last.name]);
  const bindings = await views.bindings({ secretIds: secrets.map(({ id }) => id) });
  return { secrets, bindings, next };
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
