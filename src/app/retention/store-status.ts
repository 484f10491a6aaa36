/** `lockstep store status`: what takes space in the store, and how long history stays. */
import { HISTORY_KINDS } from "../../core/retention.ts";
import { daysLeft } from "../../core/store-growth.ts";
import type { StoreStatus } from "../../protocol/api-store.ts";
import type { AppContext } from "../base/context.ts";
import { storeSpace } from "../status/store-space.ts";

export async function storeStatus(context: AppContext): Promise<StoreStatus> {
  const { store, retention } = context;
  const { freeBytes, growth } = await storeSpace(context);
  const tables = [...(await store.read.retention.tableSizes())];
  return {
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    freeBytes,
    growth,
    daysLeft: daysLeft(freeBytes, growth),
    kept: HISTORY_KINDS.map((kind) => ({ kind, forMs: retention[kind] })),
    tables,
  };
}
