/** What the bench's processes say to each other. Instants are `process.hrtime`, one clock for all of a machine. */
import type { PlayedIdentity } from "../../support/played-agent.ts";

export type ServerAnswer =
  | { readonly kind: "started"; readonly url: string }
  | { readonly kind: "memory"; readonly rssKiB: number; readonly heapKiB: number };

export type AgentsOrder =
  | { readonly kind: "connect"; readonly identities: readonly PlayedIdentity[] }
  /** From now on, tell when so many changes have been heard. */
  | { readonly kind: "await-changes"; readonly count: number };

export type AgentsAnswer =
  | { readonly kind: "connected"; readonly tookMs: number }
  | { readonly kind: "armed" }
  /** In ms on the machine's clock; one per change. */
  | { readonly kind: "heard"; readonly atMs: readonly number[] };

export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
