/**
 * The agent at work: hint or poll ▸ fetch ▸ apply ▸ restart ▸ report, over and over, until told to end.
 *
 * Promises: what the host has to do waits for nobody: requests run beside it, and one at a time. At a start the server
 * has a moment to answer, then what is cached counts. Whatever stays undone (a report, a restart) is done after the next
 * start. A server that is away, or has revoked us, stops no service.
 */
import { type LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { Bundle, Report } from "../../../protocol/agent/messages.ts";
import type { Allowed } from "../apply/allowed.ts";
import { applyBundle } from "../apply/apply-bundle.ts";
import { lookForCopies } from "../apply/look-for-copies.ts";
import { makeReport } from "../apply/make-report.ts";
import { restartUnit } from "../apply/restart-unit.ts";
import { answerLook, isAnswerOwed, isAtRest } from "../ask/answer-look.ts";
import { NewerFinder } from "../ask/find-newer.ts";
import type { AgentContext } from "../context.ts";
import { backoffMs } from "./backoff.ts";
import { ClockJumps, Countdown } from "./clocks.ts";
import { cachedBundle, fetchBundle } from "./fetch-bundle.ts";
import { listenForChanges } from "./listen-for-changes.ts";
import { noteReporting } from "./reporting.ts";
import { hasNews, tellServer } from "./tell-server.ts";
import { Wake } from "./wake.ts";

/** `signal` ends it in order: nothing is begun any more. */
export async function runAgentLoop(context: AgentContext, signal: AbortSignal): Promise<void> {
  await new AgentLoop(context, signal).run();
}

class AgentLoop {
  readonly #context: AgentContext;
  readonly #signal: AbortSignal;
  readonly #wake = new Wake();
  readonly #requests = new Set<Promise<void>>();
  /** In use; null until the first one is there. */
  #bundle: Bundle | null = null;
  #incoming: Bundle | null = null;
  #isLookDue = true;
  #isChangeKnown = false;
  #isFetching = false;
  #isTelling = false;
  #isAsking = false;
  readonly #fetchWait: Countdown;
  readonly #tellWait: Countdown;
  /** Ends with the lines that stood before the machine slept. */
  #life = new AbortController();
  /** Once after each look. */
  #isNewerDue = false;
  readonly #newer = new NewerFinder();
  readonly #failures = { fetch: 0, tell: 0 };
  /** What the server has last taken, in this run. */
  #taken: Report | null = null;

  constructor(context: AgentContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#fetchWait = new Countdown(context);
    this.#tellWait = new Countdown(context);
  }

  async run(): Promise<void> {
    await this.#coldStart();
    const listening = listenForChanges(
      this.#context,
      {
        changed: () => this.#changed(),
        mayTalk: () => this.#context.records.now.revokedAt === null,
        life: () => this.#life.signal,
      },
      this.#signal,
    );
    const stopWatching = this.#watchClocks();
    while (!this.#signal.aborted) {
      const nextMs = await this.#turn();
      if (!this.#signal.aborted) await this.#wake.sleep(nextMs, this.#signal);
    }
    stopWatching();
    await Promise.all([listening, ...this.#requests]);
  }

  #watchClocks(): () => void {
    const jumps = new ClockJumps(this.#context);
    const timer = setInterval(() => {
      if (!jumps.look()) return;
      this.#context.log.say("this machine slept, or its clock was set: asking the server anew");
      this.#life.abort();
      this.#life = new AbortController();
      this.#changed();
    }, this.#context.timing.clockLookMs);
    return () => clearInterval(timer);
  }

  /** Asks, and waits for the answer no longer than a start may take; the request itself goes on. */
  async #coldStart(): Promise<void> {
    const { timing } = this.#context;
    this.#bundle = await cachedBundle(this.#context);
    this.#startFetch();
    const asking = [...this.#requests];
    if (asking.length === 0) return;
    const patience = new Wake();
    void Promise.all(asking).then(() => patience.call());
    await patience.sleep(timing.coldStartMs, this.#signal);
  }

  /** Answers in how many ms the next turn is due by itself. */
  async #turn(): Promise<number> {
    if (this.#incoming !== null) {
      this.#bundle = this.#incoming;
      this.#incoming = null;
      this.#isLookDue = true;
    }
    const unitMs = this.#bundle === null ? null : await this.#work(this.#bundle);
    if (this.#isChangeKnown || this.#fetchWait.leftMs() === 0) this.#startFetch();
    const due = [
      this.#isFetching ? null : this.#fetchWait.leftMs(),
      this.#isTelling ? null : this.#tellWait.leftMs(),
      unitMs,
    ];
    return Math.max(0, Math.min(...due.filter((ms) => ms !== null), this.#context.timing.pollMs));
  }

  async #work(bundle: Bundle): Promise<number | null> {
    const context = this.#context;
    let isLooked = false;
    try {
      if (this.#isLookDue) {
        this.#isLookDue = false;
        this.#isNewerDue = true;
        await applyBundle(context, bundle, this.#signal);
        isLooked = true;
      }
      const allowed = await context.judge(bundle);
      // While something is written or restarts, what wins is about to change.
      if (isLooked && isAtRest(context.records.now.unit))
        await lookForCopies(context, bundle, allowed, this.#signal);
      this.#tellIfNew(bundle, allowed);
      const nextMs = await restartUnit(context, bundle, allowed, this.#signal);
      this.#tellIfNew(bundle, allowed);
      this.#answerIfOwed(bundle, allowed);
      return nextMs;
    } catch (error) {
      const failure = toLockstepError(error);
      if (this.#signal.aborted) return null;
      context.log.failed("applying stopped; it is tried again at the next look", failure);
      return null;
    }
  }

  /** Beside everything else: a service that is slow to answer holds up no restart. */
  #answerIfOwed(bundle: Bundle, allowed: Allowed): void {
    const context = this.#context;
    if (this.#isAsking || this.#signal.aborted) return;
    const isAnswered = !isAnswerOwed(context, bundle);
    const isNewerDue = this.#isNewerDue && this.#newer.isDue(context, bundle, allowed);
    this.#isNewerDue = false;
    if (isAnswered && !isNewerDue) return;
    this.#isAsking = true;
    const asking = (async () => {
      if (!isAnswered) await answerLook(context, bundle, allowed, this.#signal);
      if (isNewerDue) await this.#newer.find(context, bundle, allowed, this.#signal);
    })()
      .catch((error: unknown) => context.log.failed("asking services stopped", toLockstepError(error)))
      .finally(() => {
        this.#isAsking = false;
        this.#requests.delete(asking);
        this.#wake.call();
      });
    this.#requests.add(asking);
  }

  #changed(): void {
    this.#isChangeKnown = true;
    this.#wake.call();
  }

  #startFetch(): void {
    if (this.#isFetching || this.#signal.aborted) return;
    const { timing, random } = this.#context;
    this.#isFetching = true;
    this.#isChangeKnown = false;
    this.#fetchWait.start(timing.pollMs * (1 - timing.pollJitter * random()));
    this.#beside("fetch", async () => {
      try {
        const held = this.#incoming ?? this.#bundle;
        const fetched = await fetchBundle(this.#context, held, this.#signal);
        if (fetched !== null) this.#incoming = fetched;
        this.#failures.fetch = 0;
        this.#isLookDue = true;
      } finally {
        this.#isFetching = false;
      }
    });
  }

  #tellIfNew(bundle: Bundle, allowed: Allowed): void {
    const { timing, records } = this.#context;
    if (this.#isTelling || this.#signal.aborted || records.now.revokedAt !== null) return;
    const isQuiet = !hasNews(makeReport(this.#context, bundle, allowed), this.#taken);
    if ((isQuiet || this.#failures.tell > 0) && this.#tellWait.leftMs() > 0) return;
    this.#isTelling = true;
    this.#tellWait.start(timing.reportEveryMs);
    this.#beside("tell", async () => {
      try {
        const isFirst = this.#taken === null;
        this.#taken = await tellServer(this.#context, bundle, allowed, this.#signal);
        if (isFirst) await noteReporting(this.#context);
        this.#failures.tell = 0;
      } finally {
        this.#isTelling = false;
      }
    });
  }

  #beside(kind: "fetch" | "tell", work: () => Promise<void>): void {
    const request = work()
      .catch((error: unknown) => this.#requestFailed(kind, toLockstepError(error)))
      .finally(() => {
        this.#requests.delete(request);
        this.#wake.call();
      });
    this.#requests.add(request);
  }

  async #requestFailed(kind: "fetch" | "tell", failure: LockstepError): Promise<void> {
    if (this.#signal.aborted) return;
    const { timing, random, nowMs, records, log } = this.#context;
    const at = new Date(nowMs()).toISOString();
    const isRevoked = failure.code === "AGENT_REVOKED";
    if (records.now.lastFailure?.code !== failure.code) log.failed("speaking with the server", failure);
    await records.update({
      lastFailure: { at, code: failure.code, message: failure.message },
      ...(isRevoked ? { revokedAt: records.now.revokedAt ?? at } : {}),
    });
    const waitMs = isRevoked
      ? timing.askAgainAfterRevokedMs
      : Math.max(failure.retryAfterMs ?? 0, backoffMs(timing.reconnectMs, this.#failures[kind], random()));
    this.#failures[kind] += 1;
    if (kind === "fetch" || isRevoked) this.#fetchWait.start(waitMs);
    if (kind === "tell" || isRevoked) this.#tellWait.start(waitMs);
    if (isRevoked) log.say("revoked: services keep what they have; nothing more is sent or fetched");
  }
}
