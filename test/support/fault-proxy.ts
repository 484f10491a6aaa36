/**
 * A TCP proxy on loopback that can hurt a live connection on command: cut it, silence one or both directions, or
 * delay what passes. It proves that code notices lines that die without a word.
 */
import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

export type Direction = "to-server" | "to-client";

export interface FaultProxy {
  readonly port: number;
  /** Live connections now. */
  connections(): number;
  /** Connections accepted since the start. */
  accepted(): number;
  /** Bytes passed on since the start, both ways. */
  passed(direction: Direction): number;
  /** Ends every live connection: the client sees a reset; the server reads what had passed, then the end. */
  cut(): void;
  /** Holds back what arrives from now on, without closing anything. */
  silence(...directions: Direction[]): void;
  /** Lets held bytes and everything after them pass again. */
  speak(): void;
  /** Each chunk waits this long from now on; 0 ends it. */
  delay(delayMs: number): void;
  /** Cuts everything as soon as this many bytes more have passed in that direction. */
  cutAfter(direction: Direction, bytes: number): void;
  /** Falls silent in that direction as soon as this many bytes more have passed. */
  silenceAfter(direction: Direction, bytes: number): void;
  stop(): Promise<void>;
}

interface Way {
  readonly held: Buffer[];
  readonly out: Socket;
}

/** A `server` of text is the path of a Unix socket. */
export async function startFaultProxy(
  server: number | string,
  serverHost = "127.0.0.1",
): Promise<FaultProxy> {
  const pairs = new Set<Record<Direction, Way>>();
  const silent = new Set<Direction>();
  const passed: Record<Direction, number> = { "to-server": 0, "to-client": 0 };
  const limit: Record<Direction, number> = { "to-server": Infinity, "to-client": Infinity };
  const atLimit: Record<Direction, "cut" | "silence"> = { "to-server": "cut", "to-client": "cut" };
  let accepted = 0;
  let delayMs = 0;

  function cut(): void {
    for (const pair of pairs) {
      pair["to-server"].out.destroySoon();
      pair["to-client"].out.resetAndDestroy();
    }
    pairs.clear();
  }

  function pass(direction: Direction, way: Way, chunk: Buffer): void {
    const allowed = chunk.subarray(0, Math.max(0, limit[direction] - passed[direction]));
    passed[direction] += allowed.length;
    if (!way.out.destroyed) way.out.write(allowed);
    if (passed[direction] >= limit[direction]) {
      limit[direction] = Infinity;
      if (atLimit[direction] === "cut") {
        cut();
        return;
      }
      silent.add(direction);
      way.held.push(chunk.subarray(allowed.length));
    }
  }

  function flow(direction: Direction, from: Socket, way: Way): void {
    from.on("data", (chunk: Buffer) => {
      if (silent.has(direction)) way.held.push(chunk);
      else if (delayMs > 0) setTimeout(() => pass(direction, way, chunk), delayMs);
      else pass(direction, way, chunk);
    });
  }

  const listener: Server = createServer((client) => {
    accepted += 1;
    const upstream = typeof server === "string" ? tcpConnect(server) : tcpConnect(server, serverHost);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const pair: Record<Direction, Way> = {
      "to-server": { held: [], out: upstream },
      "to-client": { held: [], out: client },
    };
    pairs.add(pair);
    flow("to-server", client, pair["to-server"]);
    flow("to-client", upstream, pair["to-client"]);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => {
        // An orderly end must not overtake bytes that are still on their way.
        if (silent.size === 0) to.end();
        pairs.delete(pair);
      });
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  return {
    port: address.port,
    connections: () => pairs.size,
    accepted: () => accepted,
    passed: (direction) => passed[direction],
    cut,
    silence(...directions) {
      for (const direction of directions) silent.add(direction);
    },
    speak() {
      silent.clear();
      for (const pair of pairs) {
        for (const direction of ["to-server", "to-client"] as const) {
          for (const chunk of pair[direction].held.splice(0)) pass(direction, pair[direction], chunk);
        }
      }
    },
    delay(newDelayMs) {
      delayMs = newDelayMs;
    },
    cutAfter(direction, bytes) {
      limit[direction] = passed[direction] + bytes;
      atLimit[direction] = "cut";
    },
    silenceAfter(direction, bytes) {
      limit[direction] = passed[direction] + bytes;
      atLimit[direction] = "silence";
    },
    async stop() {
      cut();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
