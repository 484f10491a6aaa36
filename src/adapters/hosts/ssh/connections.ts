/**
 * Kept connections: one per destination and key, shared by whoever works there at the same time, closed after an idle
 * while. A handshake costs 50 ms and more, a command over a kept line 2 to 3 ms.
 *
 * A kept line may have died without a word. `use` tells its caller whether the line was fresh, so that work that was
 * not started can be repeated once on a new one.
 */
import { setMaxListeners } from "node:events";
import { LockstepError } from "../../../core/errors.ts";
import { connect, fetchHostKey } from "./connect.ts";
import type { SshConnection } from "./connection.ts";
import { identityOf, labelOf, type SshDestination, type SshHop } from "./destination.ts";
import { unreachable } from "./errors.ts";
import { type HandshakeLimits, Handshakes } from "./handshakes.ts";
import type { HostKey } from "./host-key.ts";

export interface SshConnectionsOptions {
  /** How long a line without work is kept, in ms. */
  readonly idleMs?: number;
  readonly handshakes?: Partial<HandshakeLimits>;
}

const DEFAULT_IDLE_MS = 60_000;
const END_TIMEOUT_MS = 2_000;

interface Kept {
  readonly opening: Promise<SshConnection>;
  users: number;
  idleTimer: NodeJS.Timeout | null;
}

export class SshConnections {
  readonly #idleMs: number;
  readonly #handshakes: Handshakes;
  readonly #kept = new Map<string, Kept>();
  readonly #closing = new AbortController();

  constructor(options: SshConnectionsOptions = {}) {
    this.#idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
    this.#handshakes = new Handshakes(options.handshakes);
    // Every login listens to it: more than ten at once are no leak.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Live and opening connections. */
  get size(): number {
    return this.#kept.size;
  }

  /** Lends the destination's connection for the time of `work`. */
  async use<T>(
    destination: SshDestination,
    signal: AbortSignal,
    work: (connection: SshConnection, fresh: boolean) => Promise<T>,
  ): Promise<T> {
    if (this.#closing.signal.aborted || signal.aborted) throw givenUp(destination);
    const identity = identityOf(destination);
    const found = this.#kept.get(identity);
    const kept = found ?? this.#open(identity, destination);
    kept.users += 1;
    if (kept.idleTimer !== null) clearTimeout(kept.idleTimer);
    kept.idleTimer = null;
    try {
      return await work(await unlessAborted(kept.opening, signal, destination), found === undefined);
    } finally {
      kept.users -= 1;
      if (kept.users === 0) this.#rest(identity, kept);
    }
  }

  /** The key that a host shows, for a person to compare; the host itself is not logged in to. */
  async fetchHostKey(
    address: { readonly host: string; readonly port: number; readonly jump?: SshHop },
    signal: AbortSignal,
  ): Promise<HostKey> {
    const { host, port, jump } = address;
    if (jump === undefined) return await fetchHostKey({ host, port }, { signal });
    return await this.use(jump, signal, async (outer) => {
      const through = await outer.forward(host, port, signal);
      return await fetchHostKey({ host, port }, { signal, through });
    });
  }

  /** Ends every connection in order. Nothing can be used afterwards. */
  async close(): Promise<void> {
    this.#closing.abort();
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(
      all.map(async (kept) => {
        if (kept.idleTimer !== null) clearTimeout(kept.idleTimer);
        const connection = await kept.opening.catch(() => null);
        if (connection === null) return;
        const closed = new Promise<void>((resolve) => connection.onClose(resolve));
        connection.end();
        // A silent server does not answer the goodbye.
        const timer = setTimeout(() => connection.destroy(), END_TIMEOUT_MS);
        await closed;
        clearTimeout(timer);
      }),
    );
  }

  #open(identity: string, destination: SshDestination): Kept {
    // Not the caller's signal: others may be waiting for the same line.
    const signal = this.#closing.signal;
    const login = {
      server: `${destination.host}:${destination.port}`,
      at: labelOf(destination),
      identity: `${destination.user} ${destination.key.fingerprint}`,
    };
    const opening = this.#handshakes
      .run(login, () => this.#connect(destination, signal), signal)
      .catch((error: unknown) => {
        throw error instanceof LockstepError ? error : givenUp(destination);
      });
    const kept: Kept = { opening, users: 0, idleTimer: null };
    this.#kept.set(identity, kept);
    const forget = () => {
      if (this.#kept.get(identity) === kept) this.#kept.delete(identity);
    };
    opening.then((connection) => connection.onClose(forget), forget);
    return kept;
  }

  async #connect(destination: SshDestination, signal: AbortSignal): Promise<SshConnection> {
    const { jump } = destination;
    if (jump === undefined) return await connect(destination, { signal });
    // The jump host's line is kept and shared too; it is held as long as the line through it lives.
    return await new Promise<SshConnection>((resolve, reject) => {
      this.use(jump, signal, async (outer) => {
        const through = await outer.forward(destination.host, destination.port, signal);
        const inner = await connect(destination, { signal, through });
        resolve(inner);
        await new Promise<void>((done) => {
          inner.onClose(done);
          outer.onClose(() => {
            inner.destroy();
            done();
          });
        });
      }).catch(reject);
    });
  }

  #rest(identity: string, kept: Kept): void {
    kept.idleTimer = setTimeout(() => {
      if (kept.users > 0) return;
      if (this.#kept.get(identity) === kept) this.#kept.delete(identity);
      kept.opening.then(
        (connection) => connection.end(),
        () => undefined,
      );
    }, this.#idleMs);
    // An idle line must not keep a finished program alive.
    kept.idleTimer.unref();
  }
}

async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  destination: SshDestination,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(givenUp(destination));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function givenUp(destination: SshDestination): LockstepError {
  return unreachable(labelOf(destination), "it was given up before the login was finished");
}
