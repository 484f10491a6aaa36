/**
 * How many connections a listener holds. An authenticated stream does not count against its source: thousands of agents
 * may stand behind one address. What is left is short: it proves itself, or ends with the listener's timeouts.
 */
import type { Server, Socket } from "node:net";

export interface ConnectionLimits {
  readonly maxInAll: number;
  readonly maxUnprovenPerSource: number;
  /** A proxy in front is everybody's source: it is not counted. */
  readonly isProxy?: (address: string) => boolean;
}

export class Connections {
  readonly #unproven = new Map<string, number>();
  /** By address and port: over TLS the socket that a request comes from is another object than the counted one. */
  readonly #counted = new Set<string>();
  readonly #limits: ConnectionLimits;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  watch(server: Server): void {
    server.maxConnections = this.#limits.maxInAll;
    const { maxUnprovenPerSource, isProxy = () => false } = this.#limits;
    server.on("connection", (socket: Socket) => {
      const { remoteAddress: source, remotePort: port } = socket;
      if (source !== undefined && isProxy(source)) return;
      const count = this.#unproven.get(source ?? "") ?? 0;
      if (source === undefined || port === undefined || count >= maxUnprovenPerSource) {
        socket.destroy();
        return;
      }
      this.#unproven.set(source, count + 1);
      this.#counted.add(`${source} ${port}`);
      socket.once("close", () => this.#release(source, port));
    });
  }

  /** From now on it does not count against its source. */
  proven({ remoteAddress, remotePort }: Socket): void {
    if (remoteAddress !== undefined && remotePort !== undefined) this.#release(remoteAddress, remotePort);
  }

  #release(source: string, port: number): void {
    if (!this.#counted.delete(`${source} ${port}`)) return;
    const left = (this.#unproven.get(source) ?? 1) - 1;
    if (left === 0) this.#unproven.delete(source);
    else this.#unproven.set(source, left);
  }
}
