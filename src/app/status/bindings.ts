/** The live bindings of one secret in words. */
import type { BoundStatus } from "../../protocol/api-parts.ts";
import type { AppContext } from "../base/context.ts";
import { bindingStatus } from "./binding-status.ts";

export async function viewBindings(context: AppContext, secretId: string): Promise<BoundStatus[]> {
  const rows = await context.store.read.views.bindings({ secretId });
  return rows.filter((row) => !row.leftover).map(bindingStatus);
}
