/**
 * The agents' open streams of events.
 *
 * Promises: one stream per identity, the newest; a stream ends at once when its agent's identity does, wherever that was
 * decided, and at the latest with its next keepalive; a reader that does not read is cut instead of being buffered for.
 *
 * What a stream carries is a hint without content, so a lost one costs a poll and nothing else. After the store's line
 * was cut everybody is told, in portions: thousands of agents that ask at once would wait for each other.
 *
 * One timer serves all: each stream has its second in the round. (Measured on Node 20: 12 KiB of resident memory for an
 * idle stream over plain TCP, 36 KiB over TLS, nearly all of it Node's and OpenSSL's own.)
 */
import type { NotifiedTargets } from "../../../core/ports/agent-notifier.ts";
import { CHANGE_EVENT, KEEPALIVE_MS } from "../../../protocol/agent/paths.ts";

/** A response whose head is written; `http.ServerResponse` is one. */
export interface StreamOutlet {
  readonly writableLength: number;
  write(text: string): unknown;
  destroy(): unknown;
}

export interface StreamOwner {
  readonly agentId: string;
  readonly targetId: string;
}

export interface AgentStreamsOptions {
  /** Those of these targets' agents that may go on listening. May fail: then nothing is decided. */
  readonly activeAt: (targetIds: readonly string[]) => Promise<readonly string[]>;
  /** Default `KEEPALIVE_MS`. */
  readonly keepaliveMs?: number;
}

interface Stream extends StreamOwner {
  readonly outlet: StreamOutlet;
  readonly turn: number;
}

/** A comment and an event, as server-sent events write them. */
const KEEPALIVE = ":\n\n";
const CHANGE = `event: ${CHANGE_EVENT}\ndata:\n\n`;
const TURNS = 25;
const MAX_UNSENT_BYTES = 256;
const MAX_ASKED_AT_ONCE = 500;
const PORTION = 50;
const PORTION_MS = 50;

export class AgentStreams {
  readonly #options: AgentStreamsOptions;
  readonly #byAgent = new Map<string, Stream>();
  readonly #byTarget = new Map<string, Set<Stream>>();
  readonly #turns: readonly Set<Stream>[] = Array.from({ length: TURNS }, () => new Set());
  readonly #doubted = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #nextTurn = 0;
  #opened = 0;
  #isAsking = false;
  #isClosed = false;

  constructor(options: AgentStreamsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#serveTurn(), (options.keepaliveMs ?? KEEPALIVE_MS) / TURNS);
    this.#timer.unref();
  }

  get count(): number {
    return this.#byAgent.size;
  }

  /** Answers what to call when the connection has ended. */
  open(owner: StreamOwner, outlet: StreamOutlet): () => void {
    if (this.#isClosed) {
      outlet.destroy();
      return () => undefined;
    }
    const older = this.#byAgent.get(owner.agentId);
    if (older !== undefined) this.#end(older);
    const stream = { ...owner, outlet, turn: this.#opened++ % TURNS };
    this.#byAgent.set(owner.agentId, stream);
    const beside = this.#byTarget.get(owner.targetId);
    if (beside === undefined) this.#byTarget.set(owner.targetId, new Set([stream]));
    else beside.add(stream);
    this.#turns[stream.turn]?.add(stream);
    outlet.write(KEEPALIVE);
    // Its identity may have ended between being checked and being found here.
    this.#doubted.add(owner.targetId);
    this.#askAboutDoubted();
    return () => this.#forget(stream);
  }

  /** Whoever's identity has ended in the meantime is cut a moment later. */
  notify(notified: NotifiedTargets): void {
    if (notified === "all") {
      this.#notifyAll([...this.#byAgent.values()]);
      return;
    }
    for (const targetId of notified) {
      for (const stream of this.#byTarget.get(targetId) ?? []) {
        this.#write(stream, CHANGE);
        this.#doubted.add(targetId);
      }
    }
    this.#askAboutDoubted();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const stream of [...this.#byAgent.values()]) this.#end(stream);
  }

  #notifyAll(streams: readonly Stream[]): void {
    if (this.#isClosed || streams.length === 0) return;
    const portion = streams.slice(0, PORTION).filter((stream) => this.#isOpen(stream));
    for (const stream of portion) {
      this.#write(stream, CHANGE);
      this.#doubted.add(stream.targetId);
    }
    this.#askAboutDoubted();
    setTimeout(() => this.#notifyAll(streams.slice(PORTION)), PORTION_MS).unref();
  }

  #serveTurn(): void {
    for (const stream of this.#turns[this.#nextTurn] ?? []) {
      // Still unsent since the last turn or the last event: nobody reads there.
      if (stream.outlet.writableLength > 0) {
        this.#end(stream);
        continue;
      }
      this.#write(stream, KEEPALIVE);
      this.#doubted.add(stream.targetId);
    }
    this.#nextTurn = (this.#nextTurn + 1) % TURNS;
    this.#askAboutDoubted();
  }

  /** When so much is unsent, a hint is among it, and one more would tell nothing more. */
  #write({ outlet }: Stream, text: string): void {
    if (outlet.writableLength < MAX_UNSENT_BYTES) outlet.write(text);
  }

  #askAboutDoubted(): void {
    if (this.#isAsking || this.#doubted.size === 0) return;
    this.#isAsking = true;
    void this.#ask().finally(() => {
      this.#isAsking = false;
      this.#askAboutDoubted();
    });
  }

  async #ask(): Promise<void> {
    const targetIds = [...this.#doubted].slice(0, MAX_ASKED_AT_ONCE);
    for (const id of targetIds) this.#doubted.delete(id);
    // Who opens a stream while the store is being asked is asked about too.
    const asked = targetIds.flatMap((id) => [...(this.#byTarget.get(id) ?? [])]);
    let active: ReadonlySet<string>;
    try {
      active = new Set(await this.#options.activeAt(targetIds));
    } catch {
      // The store is away: the next keepalive asks again.
      return;
    }
    for (const stream of asked) {
      if (this.#isOpen(stream) && !active.has(stream.agentId)) this.#end(stream);
    }
  }

  #isOpen(stream: Stream): boolean {
    return this.#byAgent.get(stream.agentId) === stream;
  }

  #end(stream: Stream): void {
    this.#forget(stream);
    stream.outlet.destroy();
  }

  #forget(stream: Stream): void {
    if (this.#isOpen(stream)) this.#byAgent.delete(stream.agentId);
    this.#turns[stream.turn]?.delete(stream);
    const beside = this.#byTarget.get(stream.targetId);
    beside?.delete(stream);
    if (beside?.size === 0) this.#byTarget.delete(stream.targetId);
  }
}
