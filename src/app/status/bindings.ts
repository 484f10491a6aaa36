/** The bindings of one secret in words, and the copies beside them. */
import { copyText } from "../../core/copies/words.ts";
import type { BoundStatus } from "../../protocol/api-parts.ts";
import type { AppContext } from "../base/context.ts";
import { bindingStatus } from "./binding-status.ts";

export async function viewBindings(context: AppContext, secretId: string): Promise<BoundStatus[]> {
  const rows = await context.store.read.views.bindings({ secretIds: [secretId] });
  return rows.filter((row) => !row.leftover).map(bindingStatus);
}

export interface CopyLeftBehind {
  readonly target: string;
  readonly copy: string;
  /** The process there is given this one, whatever stands at the kept place. */
  readonly wins: boolean;
}

/** Where the secret stands on its hosts beyond the kept places, as the last checks saw it: no rotation moves these. */
export async function copiesLeftBehind(
  context: AppContext,
  secretId: string,
): Promise<readonly CopyLeftBehind[]> {
  const rows = await context.store.read.views.bindings({ secretIds: [secretId] });
  return rows.flatMap(({ target, copies }) =>
    copies.map((copy) => ({ target, copy: copyText(copy), wins: copy.wins })),
  );
}
