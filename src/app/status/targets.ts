/** `lockstep target list`: the places, and whether something is owed there. */
import type { TargetView } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";

export async function listTargets(
  context: AppContext,
  filter: { readonly environment?: string },
): Promise<TargetView[]> {
  const rows = await context.store.read.views.targets(filter);
  return rows.map((row) => ({
    name: row.name,
    environment: row.environment,
    kind: row.kind,
    bindings: row.bindings,
    state: row.gaveUp ? "gave-up" : row.owed ? "owed" : "settled",
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? "" },
    nextActionAt: row.nextActionAt?.toISOString() ?? null,
    checkedAt: row.checkedAt?.toISOString() ?? null,
    nextCheckAt: row.kind === "manual" || row.bindings === 0 ? null : row.nextCheckAt.toISOString(),
  }));
}
