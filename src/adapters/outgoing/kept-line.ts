/** One line that is kept: a request at a time, and then it rests until it is used again or ends. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { NoAnswer, reasonOf } from "./reasons.ts";

export interface KeptQuestion {
  /** Absolute path and query, encoded. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** Twice is the same as once. */
  readonly repeatable: boolean;
}

export interface KeptAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type UnansweredTrouble = "line" | "certificate" | "late" | "too-large" | "not-http";

/** No whole answer came. Its message is a reason for people. */
export class Unanswered extends Error {
  override readonly name = "Unanswered";
  readonly trouble: UnansweredTrouble;
  /** False: the other side knows nothing of the request. */
  readonly sent: boolean;

  constructor(trouble: UnansweredTrouble, reason: string, sent: boolean) {
    super(reason);
    this.trouble = trouble;
    this.sent = sent;
  }
}

export interface KeptLineOptions {
  /** As a URL says it, with its port. */
  readonly host: string;
  readonly idleMs: number;
  readonly maxAnswerBytes: number;
}

/** A line that the server closed meanwhile shows it within a round trip. */
export const JUST_USED_MS = 1_000;
const MAX_HEADER_BYTES = 32_768;

export class KeptLine {
  readonly #socket: Duplex;
  readonly #agent: LineAgent;
  readonly #options: KeptLineOptions;
  #idleSinceMs: number | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  /** As it says itself. */
  #serverKeepsMs = Number.POSITIVE_INFINITY;

  constructor(socket: Duplex, options: KeptLineOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on("error", () => undefined);
    this.#agent = new LineAgent(socket, () => this.#rest());
    socket.once("close", () => this.#wake());
  }

  onEnd(act: () => void): void {
    this.#socket.once("close", act);
    if (this.#socket.destroyed) act();
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  /** Null: it is at work, or has ended. */
  get idleForMs(): number | null {
    if (this.#idleSinceMs === null || !this.isOpen) return null;
    return performance.now() - this.#idleSinceMs;
  }

  end(): void {
    this.#socket.destroy();
  }

  async ask(question: KeptQuestion, limited: AbortSignal): Promise<KeptAnswer> {
    this.#wake();
    const { path, method, headers, body } = question;
    const outgoing = request({ agent: this.#agent, method, path, maxHeaderSize: MAX_HEADER_BYTES });
    const all = {
      ...headers,
      Host: this.#options.host,
      ...(body === null ? {} : { "Content-Length": body.length }),
    };
    // Not with the options: those are printed where NODE_DEBUG says so.
    for (const [name, value] of Object.entries(all)) outgoing.setHeader(name, value);
    // Not before the parser listens: in between nothing can come.
    outgoing.once("socket", () => this.#socket.off("data", this.#onStray));
    const onAbort = (): void => void outgoing.destroy();
    limited.addEventListener("abort", onAbort, { once: true });
    try {
      if (limited.aborted) onAbort();
      return await new Promise<KeptAnswer>((resolve, reject) => {
        outgoing.on("error", reject);
        outgoing.once("upgrade", (_answer, socket) => {
          socket.destroy();
          reject(new Unanswered("not-http", "the answer wants another protocol", true));
        });
        outgoing.once("response", (answer) => {
          this.#serverKeepsMs = keptMs(answer.headers["keep-alive"]);
          readWhole(answer, this.#options.maxAnswerBytes).then(resolve, reject);
        });
        outgoing.end(body ?? undefined);
      });
    } catch (error) {
      outgoing.destroy();
      this.end();
      if (error instanceof Unanswered) throw error;
      if (limited.aborted) throw new Unanswered("late", "no answer in time", true);
      const isHttp = !codeOf(error).startsWith("HPE_");
      throw new Unanswered(isHttp ? "line" : "not-http", reasonOf(error), true);
    } finally {
      limited.removeEventListener("abort", onAbort);
    }
  }

  #rest(): void {
    const restMs = Math.min(this.#options.idleMs, this.#serverKeepsMs - JUST_USED_MS);
    if (restMs <= 0) {
      this.end();
      return;
    }
    this.#idleSinceMs = performance.now();
    this.#idleTimer = setTimeout(() => this.end(), restMs);
    this.#idleTimer.unref();
    this.#socket.on("data", this.#onStray);
  }

  #wake(): void {
    clearTimeout(this.#idleTimer);
    this.#idleSinceMs = null;
  }

  /** What comes unasked would be taken for the answer to the next request. */
  readonly #onStray = (): void => this.end();
}

/** How long the server says that it keeps the line. */
function keptMs(header: IncomingHttpHeaders[string]): number {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  const told = /(?:^|,)\s*timeout=(\d{1,6})/i.exec(String(header));
  return told === null ? Number.POSITIVE_INFINITY : 1_000 * Number(told[1]);
}

/** Of one line: Node's agent knows when a line may be used again, and when not. */
class LineAgent extends Agent {
  readonly #line: Duplex;
  readonly #onKept: () => void;

  constructor(line: Duplex, onKept: () => void) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#line = line;
    this.#onKept = onKept;
  }

  override createConnection(): Duplex {
    return this.#line;
  }

  /** What is answered is heeded, though the types do not know it. */
  override keepSocketAlive(socket: Duplex): boolean {
    const isKept = (super.keepSocketAlive(socket) as unknown) !== false;
    if (isKept) this.#onKept();
    return isKept;
  }
}

async function readWhole(answer: IncomingMessage, maxBytes: number): Promise<KeptAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return await new Promise((resolve, reject) => {
    answer.on("error", reject);
    answer.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) reject(new Unanswered("too-large", "the answer is too large", true));
      else chunks.push(chunk);
    });
    answer.once("end", () =>
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
    );
    answer.once("close", () => {
      if (!answer.complete) reject(new NoAnswer("the connection ended before an answer"));
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
