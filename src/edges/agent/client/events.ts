/**
 * Reads server-sent events. The only event is a hint and carries nothing; what also counts is that the line is
 * alive: any byte proves that, and silence for `silenceMs` ends it.
 */
import type { IncomingMessage } from "node:http";
import { LockstepError } from "../../../core/errors.ts";
import { CHANGE_EVENT } from "../../../protocol/agent/paths.ts";

const MAX_LINE = 4_096;

/** Returns when `signal` aborts; throws SERVER_UNREACHABLE when the line ends or falls silent. */
export function readEvents(
  stream: IncomingMessage,
  change: () => void,
  silenceMs: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = new EventLines(change);
    let watchdog: NodeJS.Timeout;
    const end = (settle: () => void): void => {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", onAbort);
      stream.destroy();
      settle();
    };
    const fail = (why: string): void =>
      end(() => reject(new LockstepError("SERVER_UNREACHABLE", `The line for changes ended: ${why}.`)));
    const onAbort = (): void => end(resolve);
    const watch = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => fail("it fell silent"), silenceMs);
    };
    watch();
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      watch();
      lines.take(chunk);
    });
    stream.on("error", () => fail("it was cut"));
    stream.on("close", () => fail("it was closed"));
  });
}

/** An empty line ends an event; of an event only its name matters. */
class EventLines {
  #rest = "";
  #name = "";
  readonly #change: () => void;

  constructor(change: () => void) {
    this.#change = change;
  }

  take(chunk: string): void {
    const lines = `${this.#rest}${chunk}`.split(/\r?\n/);
    // A line without end is nobody's of ours, and would fill the memory.
    this.#rest = (lines.pop() ?? "").slice(0, MAX_LINE);
    for (const line of lines) {
      if (line.startsWith("event:")) this.#name = line.slice("event:".length).trim();
      if (line !== "") continue;
      if (this.#name === CHANGE_EVENT) this.#change();
      this.#name = "";
    }
  }
}
