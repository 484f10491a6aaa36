/** A token endpoint on loopback that answers as told, remembers what it was asked, and misbehaves on command. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export type ProviderBehaviour =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body: string;
      readonly headers?: Record<string, string>;
    }
  | { readonly kind: "cut" | "hang" }
  /** `text`: what comes of it. */
  | { readonly kind: "half"; readonly text?: string };

export interface TokenProvider {
  readonly url: string;
  readonly asked: { readonly headers: IncomingMessage["headers"]; readonly body: string }[];
  /** Null: as `answer` says. */
  behaviour: ProviderBehaviour | null;
  close(): Promise<void>;
}

export async function startTokenProvider(answer: (count: number) => object): Promise<TokenProvider> {
  const asked: TokenProvider["asked"] = [];
  const server = createServer(async (request, response) => {
    asked.push({ headers: request.headers, body: await text(request) });
    behave(
      provider.behaviour ?? { kind: "answer", status: 200, body: JSON.stringify(answer(asked.length)) },
      response,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const provider: TokenProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked,
    behaviour: null,
    async close() {
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
  return provider;
}

function behave(behaviour: ProviderBehaviour, response: ServerResponse): void {
  switch (behaviour.kind) {
    case "answer":
      response.writeHead(behaviour.status, { "Content-Type": "application/json", ...behaviour.headers });
      response.end(behaviour.body);
      return;
    case "cut":
      response.socket?.destroy();
      return;
    case "half":
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "1000" });
      response.write(behaviour.text ?? '{"access_token":"canary-said', () => response.socket?.destroy());
      return;
    case "hang":
      return;
  }
}
