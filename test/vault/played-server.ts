/** A server on loopback that answers as it is told, one request after another, and keeps what it was asked. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
  /** Which line it came over, counted from 1. */
  readonly line: number;
}

export type Played =
  | {
      readonly status: number;
      readonly json?: unknown;
      readonly text?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The line ends instead, before or within an answer. */
  | "cut"
  | "cut-within"
  /** Nothing, until it is closed. */
  | "silence";

export type Play = (asked: Asked) => Played | Promise<Played>;

export interface PlayedServer {
  readonly address: string;
  readonly asked: Asked[];
  /** Lines that are open now. */
  readonly lines: number;
  play: Play;
  /** Ends the lines that rest. */
  closeIdle(): void;
  close(): Promise<void>;
}

export async function startPlayedServer(play: Play): Promise<PlayedServer> {
  const asked: Asked[] = [];
  const numbers = new Map<Socket, number>();
  const open = new Set<Socket>();
  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const body = await text(request).catch(() => "");
    const one: Asked = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      text: body,
      json: body === "" ? undefined : JSON.parse(body),
      line: numbers.get(request.socket) ?? 0,
    };
    asked.push(one);
    answer(await played.play(one), response);
  });
  server.on("connection", (socket) => {
    numbers.set(socket, numbers.size + 1);
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const played: PlayedServer = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get lines() {
      return open.size;
    },
    play,
    closeIdle: () => server.closeIdleConnections(),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return played;
}

function answer(what: Played, response: ServerResponse): void {
  if (what === "silence") return;
  if (what === "cut") {
    response.socket?.destroy();
    return;
  }
  if (what === "cut-within") {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write('{"data":', () => response.socket?.destroy());
    return;
  }
  const body = what.text ?? (what.json === undefined ? "" : JSON.stringify(what.json));
  response.writeHead(what.status, { "content-type": "application/json", ...what.headers });
  response.end(body);
}
