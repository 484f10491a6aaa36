/**
 * A system that holds secrets, open for one piece of work. One implementation per kind, in `adapters/targets/<kind>`; what
 * a kind knows without opening anything stands in `target-kind.ts`. What a target cannot do is said in the kind's
 * `capabilities`, and the operation then throws UNSUPPORTED.
 */
import type { Order } from "../order.ts";
import type { Activator } from "./activator.ts";
import type { CopyFinder } from "./copies.ts";
import type { Discoverer } from "./discoverer.ts";
import type { Address, ObservedKey, SetItem, UnitSpec, UserUnit } from "./place.ts";
import type { Prober } from "./prober.ts";
import type { Restorer } from "./restorer.ts";
import type { RunningObserver } from "./running.ts";
import type { UsageReader } from "./usage-reader.ts";

export interface TargetObservation {
  /** One entry for each address asked for, in that order; other keys are dropped inside the client. */
  readonly keys: readonly ObservedKey[];
  /** The revision markers found at the place: one of each of its files, or one of all. */
  readonly orders: readonly Order[];
  /** What must restart to use a change of these keys. */
  readonly units: readonly UnitSpec[];
  /** Others that take one of these keys from here: they use a change from their own next start on. Left out: none. */
  readonly users?: readonly UserUnit[];
  /** Told by an agent, which looks into processes and asks services by itself: nobody asks again for this. */
  readonly isReported?: true;
}

/** What to write. Only differences; `unset` only what Lockstep wrote itself. */
export interface Change {
  readonly set: readonly SetItem[];
  readonly unset: readonly Address[];
  /** Only where there is a `restorer` that asks for it. */
  readonly keepCopies?: boolean;
}

export interface ApplyResult {
  /** "changed" also when only a part differed; "unchanged" when nothing was sent. */
  readonly outcome: "changed" | "unchanged";
}

export interface ProbeCheck {
  readonly name: string;
  readonly ok: boolean;
  /** In words, with the remedy when not ok. May hold commands to copy, already quoted. */
  readonly message: string;
}

/** The platform itself gives somebody else what the place holds, but for the keys in `except`. */
export interface Exposure {
  readonly to: "builds" | "pull-requests";
  readonly except: readonly string[];
}

export interface ProbeResult {
  readonly ok: boolean;
  readonly checks: readonly ProbeCheck[];
  /** Left out: nobody could tell. */
  readonly exposures?: readonly Exposure[];
}

/** An open target. Stateless between calls except for kept connections; safe to call concurrently. */
export interface Target {
  /** `target test`: credential, address, rights. Changes nothing. Reports failures as checks instead of throwing. */
  probe(signal: AbortSignal): Promise<ProbeResult>;

  /** Looks. Throws when it could not look at all; a single unreadable key is an answer. */
  observe(addresses: readonly Address[], signal: AbortSignal): Promise<TargetObservation>;

  /**
   * Writes all of `change` or throws. May be repeated safely. Throws TARGET_OUTCOME_UNKNOWN when something was sent
   * and no definite answer came; ORDER_REFUSED when the place carries a newer order, or the same with another digest (only
   * where writes are conditional: elsewhere the caller compares `observe().orders` directly before). Never activates anything.
   * `signal` carries the write's deadline: nothing is sent after it aborts.
   */
  apply(change: Change, order: Order, signal: AbortSignal): Promise<ApplyResult>;

  /** Restarting units; null where nothing restarts (the place is only storage). */
  readonly activator: Activator | null;

  /** Where the place keeps what stood there before a write; absent where it cannot. */
  readonly restorer?: Restorer;

  /** Looking around within the credential's reach; absent where nothing else is reached. */
  readonly discoverer?: Discoverer;

  /** Looking for copies that stand beside what is kept there; absent where nothing else can stand. */
  readonly copyFinder?: CopyFinder;

  /** Looking into the processes; absent where nothing of them can ever be seen. */
  readonly running?: RunningObserver;

  /** Asking services that listen only there (`from: target`), or by a command there; absent where neither is possible. */
  readonly prober?: Prober;
  /** Reading use counts of what listens only there. */
  readonly usageReader?: UsageReader;

  close(): Promise<void>;
}
