/**
 * Requests to one server over lines that are kept for the next one: a handshake for each would be too dear. Addresses are
 * judged and TLS is verified once per line; redirects are answers like any other.
 *
 * Tells what never left from what was sent and not answered. A kept line may have been closed by the server in the same
 * moment: what may be repeated is sent once more on a new line, and what may not takes only a line that was used just now.
 *
 * Leaves to others: what an answer means.
 */
import type { Duplex } from "node:stream";
import { isCertificateError } from "../../lib/line-errors.ts";
import { Semaphore } from "../../lib/semaphore.ts";
import type { Connect } from "./dial.ts";
import { JUST_USED_MS, type KeptAnswer, KeptLine, type KeptQuestion, Unanswered } from "./kept-line.ts";
import { openLine, portOf, secured } from "./line.ts";
import { NoAnswer, reasonOf } from "./reasons.ts";

export interface KeptLinesOptions {
  readonly connect: Connect;
  /** Origin alone. */
  readonly url: URL;
  /** Trusted in addition to the public authorities. */
  readonly caCertificate?: string | undefined;
  readonly maxAnswerBytes: number;
  readonly maxLines?: number;
  readonly idleMs?: number;
  /** What may not be repeated takes a line that rested no longer. */
  readonly justUsedMs?: number;
}

const MAX_LINES = 16;
/** Shorter than what servers and balancers usually keep: 60 s, and 5 minutes at Vault. */
const IDLE_MS = 30_000;

export class KeptLines {
  readonly #options: KeptLinesOptions;
  readonly #places: Semaphore;
  readonly #lines = new Set<KeptLine>();

  constructor(options: KeptLinesOptions) {
    this.#options = options;
    this.#places = new Semaphore(options.maxLines ?? MAX_LINES);
  }

  /** Ends with the signal. Throws Unanswered. */
  async ask(question: KeptQuestion, limited: AbortSignal): Promise<KeptAnswer> {
    const release = await this.#places.acquire(limited).catch(() => {
      throw new Unanswered("late", "given up before anything was sent", false);
    });
    try {
      const kept = this.#kept(question.repeatable);
      if (kept === null) return await this.#onNewLine(question, limited);
      try {
        return await kept.ask(question, limited);
      } catch (error) {
        const again = question.repeatable && error instanceof Unanswered && error.trouble === "line";
        if (!again || limited.aborted) throw error;
        // Most likely the server was started anew, and the others ended with this one.
        this.#closeIdle();
        return await this.#onNewLine(question, limited);
      }
    } finally {
      release();
    }
  }

  /** All lines, those at work too. What is asked afterwards has new ones. */
  close(): void {
    for (const line of this.#lines) line.end();
  }

  get openLines(): number {
    return [...this.#lines].filter(({ isOpen }) => isOpen).length;
  }

  #closeIdle(): void {
    for (const line of this.#lines) if (line.idleForMs !== null) line.end();
  }

  /** The one that was used last: the others may then rest until they end. */
  #kept(repeatable: boolean): KeptLine | null {
    let latest: KeptLine | null = null;
    let latestIdleMs = Number.POSITIVE_INFINITY;
    for (const line of this.#lines) {
      const { idleForMs } = line;
      if (idleForMs === null || idleForMs >= latestIdleMs) continue;
      latest = line;
      latestIdleMs = idleForMs;
    }
    return repeatable || latestIdleMs <= (this.#options.justUsedMs ?? JUST_USED_MS) ? latest : null;
  }

  async #onNewLine(question: KeptQuestion, limited: AbortSignal): Promise<KeptAnswer> {
    const line = new KeptLine(await this.#open(limited), {
      host: this.#options.url.host,
      idleMs: this.#options.idleMs ?? IDLE_MS,
      maxAnswerBytes: this.#options.maxAnswerBytes,
    });
    this.#lines.add(line);
    line.onEnd(() => this.#lines.delete(line));
    return await line.ask(question, limited);
  }

  async #open(limited: AbortSignal): Promise<Duplex> {
    const { connect, url, caCertificate } = this.#options;
    let begun: Duplex | null = null;
    const opened = (async () => {
      const plain = await openLine(connect, url.hostname, portOf(url), limited);
      begun = plain;
      plain.on("error", () => undefined);
      if (limited.aborted) plain.destroy();
      return url.protocol === "https:" ? await secured(plain, url, caCertificate) : plain;
    })();
    opened.catch(() => undefined);
    try {
      return await untilAborted(opened, limited);
    } catch (error) {
      (begun as Duplex | null)?.destroy();
      if (limited.aborted) throw new Unanswered("late", "no connection in time", false);
      const isCertificate = isCertificateError(codeOf(error)) || /certificate/.test(reasonOf(error));
      throw new Unanswered(isCertificate ? "certificate" : "line", reasonOf(error), false);
    }
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(new NoAnswer("given up"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
