/**
 * A double of the gateway, as three releases of it were measured: what it answers to `POST /tools/invoke` with `{}`, how
 * it follows its files, and what it makes of being told to read them again.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { lstatSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type WebSocket, WebSocketServer } from "ws";
import { type Gateway, type Layout, writeConfig } from "./openclaw.ts";

/** How long after a write it follows its configuration; the real one took 544 to 560 ms (2026.9.6, five times). */
const FOLLOWS_AFTER_MS = 550;

export type Release = "2026.3.13" | "2026.7.1" | "2026.9.6";

export interface DoubleOptions {
  readonly layout?: Layout;
  readonly release?: Release;
  /** `off`: follows nothing, and a reload says that it is done. */
  readonly reloadMode?: "hybrid" | "off";
}

export interface GatewayDouble extends Gateway {
  /** How often it was told to read its references again, and by whom it knew. */
  readonly reloads: number;
  /** Lets nobody in, the right token neither. */
  isLockedOut: boolean;
  /** A new process: reads everything anew. */
  restart(): void;
}

export async function startGatewayDouble(
  home: string,
  token: string,
  { layout = "value", release = "2026.9.6", reloadMode = "hybrid" }: DoubleOptions = {},
): Promise<GatewayDouble> {
  let accepted = token;
  let reloads = 0;
  const sockets = new Set<WebSocket>();
  const server = createServer(async (request, response) => {
    await text(request);
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    };
    if (["/health", "/healthz", "/ready", "/readyz"].includes(request.url ?? ""))
      return answer(200, { ok: true });
    if (request.headers["x-forwarded-for"] !== undefined)
      return answer(403, { error: { type: "proxy_attribution_required" } });
    if (double.isLockedOut) return answer(429, { error: { message: "", type: "rate_limited" } });
    if (request.url !== "/tools/invoke" || request.method !== "POST") return answer(404, {});
    return request.headers.authorization === `Bearer ${accepted}`
      ? answer(400, { ok: false, error: { type: "invalid_request", message: "" } })
      : answer(401, { error: { message: "Unauthorized", type: "unauthorized" } });
  });
  const lines = new WebSocketServer({ server });
  lines.on("connection", (socket) => {
    sockets.add(socket);
    const send = (frame: object) => socket.send(JSON.stringify(frame));
    let isIn = false;
    send({ type: "event", event: "connect.challenge", payload: { nonce: randomUUID(), ts: Date.now() } });
    socket.on("message", (data: Buffer) => {
      const { id, method, params } = JSON.parse(data.toString()) as {
        id: string;
        method: string;
        params: { auth?: { token?: string }; scopes?: string[] };
      };
      if (method === "connect") {
        isIn = params.auth?.token === accepted && (params.scopes ?? []).includes("operator.admin");
        if (isIn) return send({ type: "res", id, ok: true, payload: { type: "hello-ok", protocol: 3 } });
        send({ type: "res", id, ok: false, error: { details: { code: "AUTH_TOKEN_MISMATCH" } } });
        return socket.close(1008);
      }
      if (method !== "secrets.reload" || !isIn) return socket.close(1008);
      reloads += 1;
      const next = reloadMode === "off" || release === "2026.3.13" ? accepted : readToken();
      const isChanged = next !== null && next !== accepted;
      if (next !== null) accepted = next;
      // One release closes the line by which it was told, because its token is not good any more.
      if (isChanged && release === "2026.7.1") return socket.close(4001, "gateway auth changed");
      return send({ type: "res", id, ok: next !== null, payload: { ok: true, warningCount: 0 } });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const written = writeConfig(home, port, token, layout, { reload: { mode: reloadMode } });
  const { tokenFile, configFile } = written;

  /** Null: it cannot be resolved, and what was accepted stays so. */
  function readToken(): string | null {
    try {
      if (layout === "value") {
        const { gateway } = JSON.parse(readFileSync(configFile, "utf8")) as {
          gateway: { auth: { token: string } };
        };
        return gateway.auth.token;
      }
      const found = lstatSync(tokenFile);
      const isSafe = found.isFile() && found.nlink === 1 && (found.mode & 0o077) === 0;
      const value = readFileSync(tokenFile, "utf8").replace(/\n$/, "");
      return isSafe && value !== "" ? value : null;
    } catch {
      return null;
    }
  }

  const follow = setInterval(() => {
    const next = layout === "value" && reloadMode === "hybrid" ? readToken() : null;
    if (next !== null && next !== accepted)
      setTimeout(() => {
        accepted = next;
      }, FOLLOWS_AFTER_MS).unref();
  }, 50);

  const double: GatewayDouble = {
    origin: `http://127.0.0.1:${port}`,
    port,
    ...written,
    get reloads() {
      return reloads;
    },
    isLockedOut: false,
    restart() {
      accepted = readToken() ?? accepted;
      for (const socket of sockets) socket.terminate();
    },
    async stop() {
      clearInterval(follow);
      for (const socket of sockets) socket.terminate();
      lines.close();
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
  return double;
}
