/**
 * Keeps bursts of logins below what a server accepts: sshd's default MaxStartups (10:30:100) drops unauthenticated
 * connections at random from the tenth on. A few handshakes at a time per server, and a dropped one is tried again.
 * Other processes may burst too, so the cap alone is not enough.
 */
import { setTimeout as wait } from "node:timers/promises";
import { Semaphore } from "../../../lib/semaphore.ts";
import { isDrop } from "./errors.ts";

export interface HandshakeLimits {
  readonly maxPerServer: number;
  readonly maxAttempts: number;
  readonly firstPauseMs: number;
}

const DEFAULT_LIMITS: HandshakeLimits = { maxPerServer: 4, maxAttempts: 8, firstPauseMs: 100 };
const LONGEST_PAUSE_MS = 3_000;

export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #servers = new Map<string, Semaphore>();

  constructor(limits: Partial<HandshakeLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** `server`: host and port. Throws what `attempt` threw last. */
  async run<T>(server: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const gate = this.#servers.get(server) ?? new Semaphore(this.#limits.maxPerServer);
    this.#servers.set(server, gate);
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
