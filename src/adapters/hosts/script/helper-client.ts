/**
 * Speaks with one helper over one channel: requests one after the other, each answered under its own nonce.
 *
 * Promises: never throws, the way it ended is the answer, and it tells apart what matters for a write: `none` and
 * `not-started` mean that nothing can have happened; `lost` and `aborted` that nobody knows. After these two the
 * channel is closed, because what it says next would answer something else.
 */
import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { Semaphore } from "../../../lib/semaphore.ts";
import type { Answer } from "./answer.ts";
import { HELPER_PROGRAM } from "./helper-program.ts";
import { HELPER_FIELDS, HELPER_SCRIPT } from "./helper-script.ts";
import { MAX_FILE_BYTES } from "./script.ts";

/** An idle helper answers a ping at once: a line that is dead without a word shows itself here. */
const PING_SILENCE_MS = 15_000;
/**
 * So shortly after a word the line is taken for alive: a write follows its look without a ping, a round trip less. A line
 * that dies in between makes the outcome unknown, which is true, and read back.
 */
const ALIVE_MS = 2_000;
/** A wait for the lock is 10 s, and a slow disk needs time to sync. A dead line is closed by its keepalives before. */
const WORK_SILENCE_MS = 60_000;
/** What start files of the login shell may print before the helper speaks. */
const MAX_NOISE_BYTES = 256 * 1024;

export type HelperFields = Readonly<Partial<Record<(typeof HELPER_FIELDS)[number], string>>>;

export type HelperReply =
  | { readonly end: "answered"; readonly answer: Answer }
  /** The host cannot run one: nothing was done, and nothing will be by asking again. */
  | { readonly end: "none" }
  | { readonly end: "not-started" }
  | { readonly end: "lost" }
  | { readonly end: "aborted" };

/** Doing them twice is doing them once. */
const REPEATABLE: ReadonlySet<string> = new Set(["read", "kept", "discard"]);

export class HelperClient {
  readonly #channel: Duplex;
  readonly #onSilence: () => void;
  readonly #turn = new Semaphore(1);
  readonly #gone: Promise<void>;
  readonly #hello = randomBytes(16).toString("hex");
  #received: Buffer = Buffer.alloc(0);
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #state: "greeting" | "ready" | "none" | "closed" = "greeting";
  #wake: () => void = () => undefined;

  /** `channel` runs BOOTSTRAP. `onSilence`: not even a ping was answered, so the line itself must be dead. */
  constructor(channel: Duplex, onSilence: () => void) {
    this.#channel = channel;
    this.#onSilence = onSilence;
    channel.on("data", (chunk: Buffer) => {
      this.#heardAtMs = performance.now();
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    channel.on("error", () => undefined);
    this.#gone = new Promise((resolve) => channel.on("close", resolve));
    channel.on("close", () => {
      // Gone in order before it greeted: there is no Perl, no shell, or start files took our words.
      if (this.#state === "greeting" && !this.#greeted()) this.#state = "none";
      else if (this.#state !== "none") this.#state = "closed";
      this.#wake();
    });
    const size = Buffer.byteLength(HELPER_PROGRAM);
    channel.write(`${HELPER_SCRIPT}\n${this.#hello}\n${size}\n${HELPER_PROGRAM}${this.#hello}\n`);
  }

  /** False when the next question needs a new one. */
  get usable(): boolean {
    return this.#state !== "closed";
  }

  async ask(
    fields: HelperFields,
    data: Uint8Array,
    signal: AbortSignal,
    aliveMs = ALIVE_MS,
  ): Promise<HelperReply> {
    let release: () => void;
    try {
      release = await this.#turn.acquire(signal);
    } catch {
      return { end: "not-started" };
    }
    try {
      if (REPEATABLE.has(fields.verb ?? ""))
        return notStartedIfLost(await this.#exchange(fields, data, signal));
      if (performance.now() - this.#heardAtMs < aliveMs) return await this.#exchange(fields, data, signal);
      // A kept line may be dead without a word. Found out before the write is sent, it is only a line to replace.
      const here = notStartedIfLost(await this.#exchange({ verb: "ping" }, new Uint8Array(), signal));
      return here.end === "answered" ? await this.#exchange(fields, data, signal) : here;
    } finally {
      release();
    }
  }

  /** For a line that has room for one session only: ends once what is being done is done. Throws when aborted. */
  async retire(signal: AbortSignal): Promise<void> {
    const release = await this.#turn.acquire(signal);
    this.close();
    release();
    await this.#gone;
  }

  close(): void {
    if (this.#state === "ready" || this.#state === "greeting") this.#state = "closed";
    this.#channel.destroy();
  }

  async #exchange(fields: HelperFields, data: Uint8Array, signal: AbortSignal): Promise<HelperReply> {
    if (this.#state === "none") return { end: "none" };
    if (this.#state === "closed") return { end: "not-started" };
    const nonce = randomBytes(16).toString("hex");
    const given: HelperFields = { ...fields, nonce, size: String(data.length) };
    const head = `${HELPER_FIELDS.map((name) => given[name] ?? "-").join("\t")}\n`;
    this.#channel.write(Buffer.concat([Buffer.from(head), data]));
    while (true) {
      if (this.#state === "greeting") this.#greeted();
      if (this.#read("none")) return { end: "none" };
      const answer = this.#state === "ready" ? this.#take(nonce) : null;
      if (answer !== null) return { end: "answered", answer };
      if (this.#read("closed")) return { end: "lost" };
      const isPing = fields.verb === "ping";
      const heard = await this.#hear(signal, isPing ? PING_SILENCE_MS : WORK_SILENCE_MS);
      if (heard) continue;
      this.close();
      if (signal.aborted) return { end: "aborted" };
      if (isPing) this.#onSilence();
      return { end: "lost" };
    }
  }

  /** The state moves while somebody waits, which the compiler cannot see. */
  #read(state: string): boolean {
    return this.#state === state;
  }

  /** Whether it said that it is ready, now or before. */
  #greeted(): boolean {
    const at = this.#received.indexOf(`lockstep ${this.#hello} `);
    const end = at < 0 ? -1 : this.#received.indexOf(0x0a, at);
    if (end < 0) {
      // A fixed program in the shell's place may send our own words back, and would never greet.
      const isEcho = this.#received.includes(`\n${this.#hello}\n`);
      if (isEcho || this.#received.length > MAX_NOISE_BYTES) this.#state = "none";
      return false;
    }
    const line = this.#received.subarray(at, end).toString("latin1");
    this.#received = this.#received.subarray(end + 1);
    this.#state = line.endsWith(" ready") ? "ready" : "none";
    return true;
  }

  /** The whole answer under this nonce; null while it is not complete. Anything else ends the channel. */
  #take(nonce: string): Answer | null {
    const end = this.#received.indexOf(0x0a);
    if (end < 0) return null;
    const line = this.#received.subarray(0, end).toString("utf8");
    const found = /^lockstep ([0-9a-f]+) ([0-9]+) (\S+)(?: (.*))?$/.exec(line);
    const size = Number(found?.[2]);
    if (found === null || found[1] !== nonce || size > MAX_FILE_BYTES) {
      this.close();
      return null;
    }
    if (this.#received.length < end + 1 + size) return null;
    const tail = Buffer.from(this.#received.subarray(end + 1, end + 1 + size));
    this.#received = this.#received.subarray(end + 1 + size);
    return { word: found[3] ?? "", rest: found[4] ?? "", tail };
  }

  /** Until something came or it closed; false after a silence, or when the signal aborts. */
  async #hear(signal: AbortSignal, silenceMs: number): Promise<boolean> {
    if (signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const settle = (heard: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#wake = () => undefined;
        resolve(heard);
      };
      const onAbort = () => settle(false);
      const timer = setTimeout(() => settle(false), silenceMs);
      this.#wake = () => settle(true);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}

function notStartedIfLost(reply: HelperReply): HelperReply {
  return reply.end === "lost" || reply.end === "aborted" ? { end: "not-started" } : reply;
}
