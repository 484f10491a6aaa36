/**
 * The own token of a process at one server: one log-in at a time however many ask, renewed by itself, replaced at its
 * limit. A log-in that was refused is not repeated at once, because servers lock out who tries too often.
 */
import { withDeadline } from "../../lib/with-deadline.ts";
import type { VaultClock } from "./clock.ts";
import { failureOf, mayBeDeadToken } from "./errors.ts";
import { VaultFailure } from "./failure.ts";
import { type AskRaw, LOOKUP_SELF, type LoggedIn, type LogIn } from "./log-in.ts";
import { isCapped, LONGEST_TIMER_MS, nextTryAtMs } from "./renewal-plan.ts";
import { type Grant, grantOf } from "./token-forms.ts";
import { healthOf, type TokenHealth } from "./token-health.ts";

export interface TokenHolderOptions {
  readonly logIn: LogIn;
  readonly ask: AskRaw;
  readonly clock: VaultClock;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Identity counts: a renewal leaves it, a log-in makes another. */
export interface HeldToken {
  grant: Grant;
  readonly askMs: number | null;
  readonly obtainedAtMs: number;
  capped: boolean;
  usesLeft: number;
  /** Why its last renewal was refused, where a log-in may help. */
  refusal: VaultFailure | null;
}

const OBTAIN_WITHIN_MS = 30_000;
const FIRST_HOLD_OFF_MS = 5_000;
const MAX_HOLD_OFF_MS = 5 * 60_000;
/** About to end is ended: the request takes time too. */
const NEARLY_MS = 1_000;

export class TokenHolder {
  readonly #options: TokenHolderOptions;
  #held: HeldToken | null = null;
  #obtaining: Promise<HeldToken> | null = null;
  #confirming: { readonly held: HeldToken; readonly dead: Promise<boolean> } | null = null;
  #refused: { failure: VaultFailure; untilMs: number; text: string | null } | null = null;
  #refusals = 0;
  #failedTries = 0;
  #failure: VaultFailure | null = null;
  #cancelTimer: (() => void) | null = null;
  #life = new AbortController();

  constructor(options: TokenHolderOptions) {
    this.#options = options;
  }

  /** Throws VaultFailure. */
  async current(signal: AbortSignal): Promise<HeldToken> {
    const held = this.#held;
    const isUsable = held !== null && !this.#isOver(held);
    return isUsable ? this.#spend(held) : this.#spend(await unlessAborted(this.#obtain(), signal));
  }

  /** A refusal may be about the token: whether it is dead is asked once, however many ask. Throws VaultFailure. */
  async isDead(held: HeldToken, signal: AbortSignal): Promise<boolean> {
    if (this.#held !== held) return true;
    if (this.#confirming?.held !== held) {
      const dead = this.#confirm(held).finally(() => {
        this.#confirming = null;
      });
      dead.catch(() => undefined);
      this.#confirming = { held, dead };
    }
    const isDead = await unlessAborted(this.#confirming.dead, signal);
    if (isDead) this.#drop(held);
    return isDead;
  }

  get health(): TokenHealth {
    const held = this.#held;
    return healthOf({
      state: this.#state(held),
      held,
      isHeld: held !== null && !this.#isOver(held),
      isReplaced: this.#options.logIn.outlivesTokens,
      failure: this.#failure,
    });
  }

  /** Ends timers and waiting log-ins. What is asked afterwards logs in anew. */
  close(): void {
    this.#life.abort();
    this.#life = new AbortController();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#held = null;
  }

  #state(held: HeldToken | null): TokenHealth["state"] {
    if (this.#refused !== null) return "refused";
    if (this.#failure !== null) return "failing";
    return held === null ? "unused" : "good";
  }

  #spend(held: HeldToken): HeldToken {
    if (held.grant.usesLeft > 0) {
      held.usesLeft -= 1;
      if (held.usesLeft <= 0) this.#drop(held);
    }
    return held;
  }

  #isOver({ grant }: HeldToken): boolean {
    return grant.lifeMs !== null && grant.grantedAtMs + grant.lifeMs - NEARLY_MS <= this.#options.clock.now();
  }

  #drop(held: HeldToken): void {
    if (this.#held !== held) return;
    this.#held = null;
    this.#cancelTimer?.();
  }

  #obtain(): Promise<HeldToken> {
    this.#obtaining ??= this.#obtainOnce().finally(() => {
      this.#obtaining = null;
    });
    return this.#obtaining;
  }

  async #obtainOnce(): Promise<HeldToken> {
    const { logIn, clock } = this.#options;
    const life = this.#life.signal;
    try {
      const text = await logIn.fileText();
      await this.#holdOff(text);
      const loggedIn = await withDeadline(life, OBTAIN_WITHIN_MS, (limited) => logIn.run(limited));
      if (life.aborted) throw new VaultFailure("later", "given up");
      return this.#take(loggedIn);
    } catch (error) {
      const failure = error instanceof VaultFailure ? error : new VaultFailure("later", "no log-in");
      this.#failure = failure;
      if (
        (failure.verdict === "login" || failure.verdict === "token") &&
        failure !== this.#refused?.failure
      ) {
        const waitMs = Math.min(FIRST_HOLD_OFF_MS * 2 ** this.#refusals, MAX_HOLD_OFF_MS);
        this.#refusals += 1;
        const text = await logIn.fileText().catch(() => null);
        this.#refused = { failure, untilMs: clock.now() + waitMs, text };
      }
      // What `keep` throws is the caller's own.
      throw error;
    }
  }

  /** Throws what was refused, unless what is shown may be another by now. */
  async #holdOff(text: string | null): Promise<void> {
    const refused = this.#refused;
    if (refused !== null && refused.text === text && this.#options.clock.now() < refused.untilMs)
      throw refused.failure;
  }

  #take({ grant: taken, askMs }: LoggedIn): HeldToken {
    // The same from its file: nothing is won, and what renewals told of it still holds.
    const before = this.#held !== null && isSame(this.#held.grant, taken) ? this.#held : null;
    const endsForGoodAtMs = taken.endsForGoodAtMs ?? before?.grant.endsForGoodAtMs ?? null;
    const grant = { ...taken, endsForGoodAtMs };
    const held: HeldToken = {
      grant,
      askMs,
      obtainedAtMs: this.#options.clock.now(),
      capped: false,
      usesLeft: grant.usesLeft,
      refusal: null,
    };
    this.#held = held;
    this.#refused = null;
    this.#refusals = 0;
    this.#failedTries = 0;
    this.#failure = before?.refusal ?? null;
    this.#schedule(held);
    return held;
  }

  async #confirm(held: HeldToken): Promise<boolean> {
    const answer = await withDeadline(this.#life.signal, OBTAIN_WITHIN_MS, (limited) =>
      this.#options.ask(LOOKUP_SELF, held.grant.token, limited),
    );
    if (mayBeDeadToken(answer)) return true;
    const failure = failureOf(answer, false);
    // It may not ask about itself, and so is known.
    if (failure === null || failure.verdict === "permission") return false;
    throw failure;
  }

  #schedule(held: HeldToken): void {
    const { clock, random, logIn } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const { lifeMs, grantedAtMs, renewable } = held.grant;
    if (lifeMs === null || (!renewable && !logIn.givesNewTokens)) return;
    const atMs = nextTryAtMs({ lifeMs, grantedAtMs }, this.#failedTries, clock.now(), random());
    if (atMs === null) return;
    this.#wait(held, atMs);
  }

  #wait(held: HeldToken, atMs: number): void {
    const { clock } = this.#options;
    const leftMs = atMs - clock.now();
    this.#cancelTimer = clock.after(Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS)), () => {
      if (this.#held !== held) return;
      if (clock.now() < atMs) this.#wait(held, atMs);
      else void this.#prolong(held);
    });
  }

  /** Never throws: what fails is tried again while the token lives. */
  async #prolong(held: HeldToken): Promise<void> {
    const { logIn } = this.#options;
    try {
      if (held.grant.renewable && !held.capped) await this.#renew(held);
      // At its limit, or never renewable.
      if ((held.capped || !held.grant.renewable) && logIn.givesNewTokens) {
        await this.#obtain();
        return;
      }
      this.#failedTries = 0;
      this.#failure = null;
    } catch (error) {
      this.#failedTries += 1;
      this.#failure = error instanceof VaultFailure ? error : new VaultFailure("later", "no renewal");
    }
    if (this.#held === held) this.#schedule(held);
  }

  /** Throws VaultFailure. */
  async #renew(held: HeldToken): Promise<void> {
    const { ask, clock, logIn } = this.#options;
    const answer = await withDeadline(this.#life.signal, OBTAIN_WITHIN_MS, (limited) =>
      ask(
        {
          method: "POST",
          path: ["auth", "token", "renew-self"],
          body: held.askMs === null ? {} : { increment: `${Math.ceil(held.askMs / 1_000)}s` },
          writes: false,
        },
        held.grant.token,
        limited,
      ),
    );
    const failure = failureOf(answer, false);
    if (failure === null) {
      const renewed = grantOf(answer.body, clock.now());
      held.capped = isCapped(held.askMs, renewed.lifeMs);
      const limitMs = held.capped && renewed.lifeMs !== null ? renewed.grantedAtMs + renewed.lifeMs : null;
      held.grant = {
        ...held.grant,
        lifeMs: renewed.lifeMs,
        grantedAtMs: renewed.grantedAtMs,
        renewable: renewed.renewable,
        endsForGoodAtMs: limitMs ?? renewed.endsForGoodAtMs ?? held.grant.endsForGoodAtMs,
      };
      // A limit that cannot be passed is still approached as slowly as possible.
      if (!logIn.givesNewTokens) held.capped = false;
      return;
    }
    if (mayBeDeadToken(answer)) this.#drop(held);
    // It lives, and will not be prolonged: said in several ways. Where nothing replaces it, it is tried until its end.
    held.capped = logIn.givesNewTokens && [400, 403, 500].includes(answer.status);
    if (!held.capped) throw failure;
    held.refusal = failure;
  }
}

function isSame(one: Grant, other: Grant): boolean {
  return one.token.reveal() === other.token.reveal();
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(new VaultFailure("later", "given up"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
