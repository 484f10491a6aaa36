/** Where a secret stands on its hosts outside the kept places, as the last looks saw it: no rotation moves these. */
import { copyText } from "../../core/copies/words.ts";
import type { AppContext } from "../base/context.ts";

export interface CopyLeftBehind {
  readonly target: string;
  readonly copy: string;
  /** The process there is given this one, whatever stands at the kept place. */
  readonly wins: boolean;
}

export async function copiesLeftBehind(
  context: AppContext,
  secretId: string,
): Promise<readonly CopyLeftBehind[]> {
  const rows = await context.store.read.views.bindings({ secretId });
  return rows.flatMap(({ target, copies }) =>
    copies.map((copy) => ({ target, copy: copyText(copy), wins: copy.wins })),
  );
}
