/** What use cases are given. Built once, in `compose.ts`. */
import type { Clock } from "../core/ports/clock.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { Queue } from "../core/ports/queue.ts";
import type { Fingerprinter, Sealer } from "../core/ports/sealer.ts";
import type { Store } from "../core/ports/store/store.ts";
import type { RequestBudget, TargetKind } from "../core/ports/target.ts";

export interface AppContext {
  readonly store: Store;
  readonly storeId: string;
  readonly epoch: number;
  readonly sealer: Sealer;
  readonly fingerprinter: Fingerprinter;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Logger;
  readonly budget: RequestBudget;
  readonly targetKinds: ReadonlyMap<string, TargetKind>;
}
