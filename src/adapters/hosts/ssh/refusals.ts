/**
 * What refused logins at one server cost: since OpenSSH 9.8 each adds 5 s to a penalty of the address it came from, and at
 * 15 s the server drops every login from there, also those whose keys are right (PerSourcePenalties, sshd_config(5)). So
 * logins that have not succeeded yet go in only while their refusal could be paid for, and a refused one is not asked
 * again at once. Time is the process's own, and cannot be set.
 */
import { EventEmitter, once } from "node:events";
import { performance } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { LockstepError } from "../../../core/errors.ts";

export interface RefusalLimits {
  /** What a refused login costs there, in ms; 0: nothing is held back. */
  readonly refusalMs: number;
  /** The server drops everybody when the sum reaches this, in ms. */
  readonly penaltyFromMs: number;
  /** The longest wait for room, in ms; then whoever waits is told. */
  readonly longestHoldMs: number;
}

interface Refused {
  readonly error: LockstepError;
  readonly at: number;
}

export class Refusals {
  readonly #limits: RefusalLimits;
  readonly #now: () => number;
  readonly #left = new EventEmitter().setMaxListeners(0);
  readonly #proven = new Set<string>();
  readonly #refused = new Map<string, Refused>();
  #paidAt = 0;
  #trying = 0;

  constructor(limits: RefusalLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * `login`: user and key, as one text. `at`: for messages. Throws what `attempt` threw; the refusal of a moment ago; or
   * TARGET_UNREACHABLE when others' refusals leave no room in time.
   */
  async run<T>(login: string, at: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#throwRecent(login);
    // A login that has worked adds nothing to the penalty, and need not wait for those that do.
    const isCounted = !this.#proven.has(login);
    if (isCounted) await this.#enter(login, at, signal);
    try {
      const result = await attempt();
      this.#proven.add(login);
      return result;
    } catch (error) {
      if (isRefusalAt(error, at)) this.#count(login, error);
      throw error;
    } finally {
      if (isCounted) {
        this.#trying -= 1;
        this.#left.emit("left");
      }
    }
  }

  #count(login: string, error: LockstepError): void {
    this.#proven.delete(login);
    this.#refused.set(login, { error, at: this.#now() });
    this.#paidAt = Math.max(this.#paidAt, this.#now()) + this.#limits.refusalMs;
  }

  #throwRecent(login: string): void {
    const refused = this.#refused.get(login);
    if (refused === undefined) return;
    const againMs = refused.at + this.#limits.refusalMs - this.#now();
    if (againMs <= 0) {
      this.#refused.delete(login);
      return;
    }
    const { code, message, details, hint } = refused.error;
    throw new LockstepError(
      code,
      `${message} That was a moment ago; it is asked again in ${Math.ceil(againMs / 1_000)} s at the earliest, so that the host does not lock this address out.`,
      { details: { ...details, remembered: true }, hint, retryAfterMs: Math.ceil(againMs) },
    );
  }

  async #enter(login: string, at: string, signal: AbortSignal): Promise<void> {
    const { refusalMs, penaltyFromMs, longestHoldMs } = this.#limits;
    const givesUpAt = this.#now() + longestHoldMs;
    for (;;) {
      signal.throwIfAborted();
      const debtMs = Math.max(0, this.#paidAt - this.#now());
      const overMs = debtMs + (this.#trying + 1) * refusalMs - penaltyFromMs;
      if (refusalMs === 0 || overMs < 0) break;
      if (this.#trying > 0) await once(this.#left, "left", { signal });
      else if (this.#now() + overMs >= givesUpAt) throw heldBack(at, overMs);
      else await wait(overMs + 1, undefined, { signal });
      this.#throwRecent(login);
    }
    this.#trying += 1;
  }
}

/** A jump host's refusal passes through here too, and is counted where it happened. */
function isRefusalAt(error: unknown, at: string): error is LockstepError {
  return (
    error instanceof LockstepError &&
    error.code === "TARGET_CREDENTIAL_REJECTED" &&
    error.details["at"] === at &&
    error.details["remembered"] !== true
  );
}

function heldBack(at: string, ms: number): LockstepError {
  return new LockstepError(
    "TARGET_UNREACHABLE",
    `Cannot reach ${at}: other logins at this host were refused a moment ago, and one more could make it lock this address out.`,
    {
      details: { heldBack: true },
      hint: "Repair the targets whose keys the host refuses (`lockstep doctor` names them). It is tried again by itself.",
      retryAfterMs: Math.ceil(ms),
    },
  );
}
