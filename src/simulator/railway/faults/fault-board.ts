/**
 * The faults that are switched on, in the order in which they were; the first that matches spoils a request, and
 * only one does. What is held back waits here until it is released or the simulator closes.
 */
import type { SimulatorClock } from "../clock.ts";
import { type DeploymentAilment, type Fault, isDeploymentAilment, type RequestFault } from "./fault.ts";

export interface RequestTraits {
  readonly operationName: string | null;
  readonly operationType: "query" | "mutation" | null;
  /** Names of root fields. */
  readonly fields: readonly string[];
  /** Ids and names of the services that the request names. */
  readonly services: ReadonlySet<string>;
}

interface Armed {
  readonly id: string;
  readonly fault: Fault;
  readonly expiresAtMs: number;
  left: number;
  toSkip: number;
  spoiled: number;
}

export interface ArmedFault {
  readonly id: string;
  readonly kind: Fault["kind"];
  /** null: always. */
  readonly left: number | null;
  readonly spoiled: number;
}

interface Held {
  readonly faultId: string;
  readonly what: string;
  readonly release: () => void;
}

export class FaultBoard {
  readonly #clock: SimulatorClock;
  readonly #armed: Armed[] = [];
  readonly #held = new Set<Held>();
  #count = 0;

  constructor(clock: SimulatorClock) {
    this.#clock = clock;
  }

  add(fault: Fault): string {
    this.#count += 1;
    const id = `fault-${this.#count}`;
    const times = fault.times ?? 1;
    this.#armed.push({
      id,
      fault,
      expiresAtMs: fault.forMs === undefined ? Number.POSITIVE_INFINITY : this.#nowMs() + fault.forMs,
      left: times === "always" ? Number.POSITIVE_INFINITY : times,
      toSkip: fault.skip ?? 0,
      spoiled: 0,
    });
    return id;
  }

  /** Switches all off; what is held already stays held. */
  clear(): void {
    this.#armed.length = 0;
  }

  list(): ArmedFault[] {
    return this.#armed.map(({ id, fault, left, spoiled }) => ({
      id,
      kind: fault.kind,
      left: Number.isFinite(left) ? left : null,
      spoiled,
    }));
  }

  takeForRequest(traits: RequestTraits): { readonly id: string; readonly fault: RequestFault } | null {
    const armed = this.#take(
      (fault) =>
        !isDeploymentAilment(fault) && touches(fault, traits) && namesService(fault, traits.services),
    );
    return armed === null || isDeploymentAilment(armed.fault) ? null : { id: armed.id, fault: armed.fault };
  }

  takeForDeployment(service: ReadonlySet<string>): DeploymentAilment | null {
    const armed = this.#take((fault) => isDeploymentAilment(fault) && namesService(fault, service));
    return armed !== null && isDeploymentAilment(armed.fault) ? armed.fault : null;
  }

  /** Resolves after `holdMs`, or without it when it is released. */
  hold(faultId: string, what: string, holdMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const held: Held = {
        faultId,
        what,
        release: () => {
          this.#held.delete(held);
          resolve();
        },
      };
      this.#held.add(held);
      if (holdMs !== undefined) this.#clock.after(holdMs, held.release);
    });
  }

  held(): { readonly faultId: string; readonly what: string }[] {
    return [...this.#held].map(({ faultId, what }) => ({ faultId, what }));
  }

  /** Of one fault, or everything. Answers how many. */
  release(faultId?: string): number {
    const released = [...this.#held].filter((held) => faultId === undefined || held.faultId === faultId);
    for (const held of released) held.release();
    return released.length;
  }

  #take(matches: (fault: Fault) => boolean): Armed | null {
    for (const armed of this.#armed) {
      if (armed.left <= 0 || armed.expiresAtMs < this.#nowMs() || !matches(armed.fault)) continue;
      if (armed.toSkip > 0) {
        armed.toSkip -= 1;
        continue;
      }
      armed.left -= 1;
      armed.spoiled += 1;
      return armed;
    }
    return null;
  }

  #nowMs(): number {
    return this.#clock.now().getTime();
  }
}

function touches(fault: RequestFault, traits: RequestTraits): boolean {
  if (fault.kind === "stale-read" && traits.operationType !== "query") return false;
  if (fault.kind === "ignored-write" && traits.operationType !== "mutation") return false;
  if (fault.operation === undefined) return true;
  const wanted = typeof fault.operation === "string" ? [fault.operation] : fault.operation;
  return wanted.some((name) => name === traits.operationName || traits.fields.includes(name));
}

function namesService(fault: Fault, services: ReadonlySet<string>): boolean {
  return fault.service === undefined || services.has(fault.service);
}
