/** The faults that wait, in the order of adding. The first that matches spoils a request, and only one does. */
import type { Fault, FaultMatch, MatchedCall } from "./fault.ts";

export interface FaultHandle {
  /** Requests that it spoiled. */
  readonly hits: number;
  remove(): void;
  /** Lets go what it holds now, and holds nothing more. */
  release(): void;
  /** Resolves once it spoiled that many. */
  hit(count?: number): Promise<void>;
}

export class WaitingFault implements FaultHandle {
  readonly fault: Fault;
  hits = 0;
  readonly #match: FaultMatch;
  readonly #remove: (fault: WaitingFault) => void;
  #skip: number;
  #left: number;
  #released = false;
  readonly #held = new Set<() => void>();
  readonly #watching = new Set<() => void>();

  constructor(match: FaultMatch, fault: Fault, remove: (fault: WaitingFault) => void) {
    this.fault = fault;
    this.#match = match;
    this.#remove = remove;
    this.#skip = match.skip ?? 0;
    this.#left = match.times === "always" ? Number.POSITIVE_INFINITY : (match.times ?? 1);
  }

  takes(call: MatchedCall): boolean {
    if (this.#left <= 0 || !matches(this.#match, call)) return false;
    if (this.fault.kind === "behind-index" && !sendsIndex(call)) return false;
    if (this.#skip > 0) {
      this.#skip -= 1;
      return false;
    }
    this.#left -= 1;
    this.hits += 1;
    for (const look of [...this.#watching]) look();
    return true;
  }

  remove(): void {
    this.#left = 0;
    this.release();
    this.#remove(this);
  }

  release(): void {
    this.#released = true;
    for (const letGo of [...this.#held]) letGo();
  }

  /** Until released, or `ms` have passed. */
  hold(ms: number | undefined): Promise<void> {
    if (this.#released) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(() => letGo(), ms);
      const letGo = () => {
        clearTimeout(timer);
        this.#held.delete(letGo);
        resolve();
      };
      this.#held.add(letGo);
    });
  }

  hit(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.hits < count) return;
        this.#watching.delete(look);
        resolve();
      };
      this.#watching.add(look);
      look();
    });
  }
}

function matches({ method, path, when }: FaultMatch, call: MatchedCall): boolean {
  const methods = typeof method === "string" ? [method] : method;
  if (methods !== undefined && !methods.includes(call.method)) return false;
  if (path instanceof RegExp && !path.test(call.path)) return false;
  if (typeof path === "string") {
    const hit = path.endsWith("*") ? call.path.startsWith(path.slice(0, -1)) : call.path === path;
    if (!hit) return false;
  }
  return when?.(call) ?? true;
}

function sendsIndex({ headers }: MatchedCall): boolean {
  return headers["x-vault-index"] !== undefined && headers["x-vault-inconsistent"] !== "forward-active-node";
}

export class FaultBoard {
  readonly #faults = new Set<WaitingFault>();

  add(match: FaultMatch, fault: Fault): FaultHandle {
    const waiting = new WaitingFault(match, fault, (one) => this.#faults.delete(one));
    this.#faults.add(waiting);
    return waiting;
  }

  take(call: MatchedCall): WaitingFault | null {
    for (const fault of this.#faults) if (fault.takes(call)) return fault;
    return null;
  }

  clear(): void {
    for (const fault of [...this.#faults]) fault.remove();
  }
}
