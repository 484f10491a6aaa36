/** An HTTP proxy on loopback that leads every CONNECT to one server, and keeps what it was asked and what passed. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface ConnectProxy {
  readonly port: number;
  /** `host:port` of each CONNECT, and its credentials. */
  readonly asked: { readonly authority: string; readonly authorization: string | undefined }[];
  /** All bytes that passed, both ways. */
  passed(): Buffer;
  /** Answers every CONNECT with this status from now on; 200 leads on. */
  answer(status: number): void;
  stop(): void;
}

export async function startConnectProxy(serverPort: number): Promise<ConnectProxy> {
  const asked: ConnectProxy["asked"] = [];
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  let status = 200;
  const server = createServer((_request, response) => response.writeHead(400).end());
  server.on("connect", ({ url = "", headers }, client: Socket) => {
    asked.push({ authority: url, authorization: headers["proxy-authorization"] });
    client.on("error", () => undefined);
    if (status !== 200) return void client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
    const behind = connect(serverPort, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      for (const socket of [client, behind]) socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
      behind.pipe(client).pipe(behind);
    });
    behind.on("error", () => client.destroy());
    client.on("close", () => behind.destroy());
    sockets.add(client).add(behind);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    passed: () => Buffer.concat(chunks),
    answer: (wanted) => {
      status = wanted;
    },
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
