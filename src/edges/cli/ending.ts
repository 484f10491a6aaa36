/**
 * How a command is ended from outside: a signal, or a reader of its output that went away.
 *
 * Promises: the first SIGINT or SIGTERM aborts what runs, and the second ends the process at once, whatever still hangs
 * and whoever else listens; a lost output aborts too, and never becomes success. Leaves to others: what aborting means.
 */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
export type EndingSignal = (typeof SIGNALS)[number];

/** As shells say of a program that SIGPIPE ended. */
const EXIT_READER_GONE = 128 + constants.signals.SIGPIPE;
const EXIT_OUTPUT_FAILED = 1;
/** What was aborted puts things in order meanwhile: a demo stops its services. */
const LOST_OUTPUT_MS = 10_000;

export interface Outlets {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export class Ending {
  readonly #controller = new AbortController();
  readonly #outlets: Outlets;
  readonly #failed = new Set<NodeJS.WriteStream>();
  readonly #listeners = new Map<EndingSignal, () => void>();
  readonly #kill: (signal: EndingSignal) => void;
  #signal: EndingSignal | null = null;
  #lostOutput: number | null = null;
  #isHandedOver = false;

  /** `kill`: ends this process by a signal; only tests tell another. */
  constructor(outlets: Outlets, kill: (signal: EndingSignal) => void = endBySignal) {
    this.#outlets = outlets;
    this.#kill = kill;
    for (const stream of [outlets.stdout, outlets.stderr]) {
      stream.on("error", (error: NodeJS.ErrnoException) => this.#lose(stream, error));
    }
    for (const signal of SIGNALS) {
      const listener = (): void => this.#hear(signal);
      this.#listeners.set(signal, listener);
      // In front of libraries that wait for something at the end.
      process.prependListener(signal, listener);
    }
  }

  /** Aborts when the command is to end. */
  get aborted(): AbortSignal {
    return this.#controller.signal;
  }

  /** After this, signals that follow the first are another's: of a program that runs in the foreground. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  /** What the process ends with; `own` is what the command answered. */
  async exitCode(own: number): Promise<number> {
    const cut = new Promise<"cut">((resolve) =>
      this.#controller.signal.addEventListener("abort", () => resolve("cut"), { once: true }),
    );
    const { stdout, stderr } = this.#outlets;
    const left = await Promise.race([Promise.all([flushed(stdout), flushed(stderr)]), cut]);
    // Who is ended while a slow reader still reads has not answered.
    return this.#lostOutput ?? (left === "cut" ? this.interruptedCode : own);
  }

  /** Of a command that was ended before it had done anything. Ctrl-C in a prompt is no signal. */
  get interruptedCode(): number {
    return 128 + constants.signals[this.#signal ?? "SIGINT"];
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #hear(signal: EndingSignal): void {
    if (this.#isHandedOver) this.close();
    else if (this.#controller.signal.aborted) this.#kill(signal);
    this.#signal ??= signal;
    this.#controller.abort();
  }

  #lose(stream: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
    if (this.#failed.has(stream)) return;
    this.#failed.add(stream);
    const isGone = error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED";
    this.#lostOutput ??= isGone ? EXIT_READER_GONE : EXIT_OUTPUT_FAILED;
    process.exitCode = this.#lostOutput;
    if (stream === this.#outlets.stdout && !this.#failed.has(this.#outlets.stderr)) {
      this.#outlets.stderr.write(
        isGone
          ? "note: nothing reads the answer any more. The work on the server goes on.\n"
          : `error: the answer cannot be written${error.code === "ENOSPC" ? ": the disk is full" : ""}. The work on the server goes on.\n`,
      );
    }
    this.#controller.abort();
    setTimeout(() => process.exit(), LOST_OUTPUT_MS).unref();
  }
}

/**
 * By the signal itself, which is what a shell reports as 130 or 143: an orderly exit waits for reads that hang. Where
 * signals do nothing by themselves, in process 1 of a container, the orderly way remains.
 */
export function endBySignal(signal: EndingSignal): void {
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}

/** Whoever listens for signals at the end of the process would only swallow them. */
export function leaveSignals(): void {
  for (const name of SIGNALS) process.removeAllListeners(name);
}

/** When everything that was written has left, or never will. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) {
      // Its error arrives with the next turn.
      setImmediate(resolve);
      return;
    }
    stream.once("error", () => resolve());
    stream.write("", () => resolve());
  });
}
