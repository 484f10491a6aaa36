/**
 * Keeps bursts of logins below what a server accepts: sshd's default MaxStartups (10:30:100) drops unauthenticated
 * connections at random from the tenth on. A few handshakes at a time per server, and a dropped one is tried again.
 * Other processes may burst too, so the cap alone is not enough. Refused logins are another matter: see refusals.ts.
 */
import { setTimeout as wait } from "node:timers/promises";
import { Semaphore } from "../../../lib/semaphore.ts";
import { isDrop } from "./errors.ts";
import { type RefusalLimits, Refusals } from "./refusals.ts";

export interface HandshakeLimits extends RefusalLimits {
  readonly maxPerServer: number;
  readonly maxAttempts: number;
  readonly firstPauseMs: number;
}

/** Who logs in where. */
export interface Login {
  /** Host and port. */
  readonly server: string;
  /** For messages: user, host and port. */
  readonly at: string;
  /** User and key, as one text. */
  readonly identity: string;
}

const DEFAULT_LIMITS: HandshakeLimits = {
  maxPerServer: 4,
  maxAttempts: 8,
  firstPauseMs: 100,
  refusalMs: 5_000,
  penaltyFromMs: 15_000,
  longestHoldMs: 10_000,
};
const LONGEST_PAUSE_MS = 3_000;

interface Server {
  readonly gate: Semaphore;
  readonly refusals: Refusals;
}

export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #servers = new Map<string, Server>();

  constructor(limits: Partial<HandshakeLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Throws what `attempt` threw last, or that it was not made (refusals.ts). */
  async run<T>(login: Login, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { gate, refusals } = this.#serverOf(login.server);
    return await refusals.run(
      login.identity,
      login.at,
      () => this.#untilNotDropped(gate, attempt, signal),
      signal,
    );
  }

  #serverOf(name: string): Server {
    const known = this.#servers.get(name);
    if (known !== undefined) return known;
    const server = { gate: new Semaphore(this.#limits.maxPerServer), refusals: new Refusals(this.#limits) };
    this.#servers.set(name, server);
    return server;
  }

  async #untilNotDropped<T>(gate: Semaphore, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const release = await gate.acquire(signal);
      try {
        return await attempt();
      } catch (error) {
        if (!isDrop(error) || tries >= this.#limits.maxAttempts) throw error;
      } finally {
        release();
      }
      // The pause is outside of the gate, and spread, so that the dropped ones do not come back as one burst.
      const pauseMs = Math.min(LONGEST_PAUSE_MS, this.#limits.firstPauseMs * 2 ** (tries - 1));
      await wait(pauseMs * (0.5 + Math.random()), undefined, { signal });
    }
  }
}
