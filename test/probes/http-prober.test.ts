/** Live requests, against real servers that answer, refuse, stay silent and lie. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { makeSelfSigned } from "../../src/adapters/crypto/self-signed.ts";
import { createServerProber } from "../../src/adapters/probes/http-prober.ts";
import type { JsonObject } from "../../src/core/json.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

const CANARY = "canary-value-8d1f";
const TLS = JSON.parse(readFileSync(new URL("../vectors/localhost-tls.json", import.meta.url), "utf8")) as {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};

const servers: (Server | TcpServer)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
    await once(server, "close");
  }
});

interface Heard {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function listenOn(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Answers with this status and remembers what it heard. */
async function answering(status: number | readonly number[], headers: Record<string, string> = {}) {
  const heard: Heard[] = [];
  const port = await listenOn(
    createServer(async (incoming, response) => {
      let body = "";
      for await (const part of incoming) body += String(part);
      heard.push({ headers: incoming.headers, body });
      const now = typeof status === "number" ? status : (status[heard.length - 1] ?? 500);
      response.writeHead(now, headers).end(`what it says: ${body}`);
    }),
  );
  return { port, heard };
}

function spec(url: string, more: JsonObject = {}): JsonObject {
  return {
    http: {
      url,
      headers: { "X-Internal-Secret": "{{value}}" },
      accepted: [200],
      refused: [401, 403],
      ...more,
    },
  };
}

const ask = (
  probe: JsonObject,
  value = CANARY,
  options: Partial<Parameters<typeof createServerProber>[0]> = {},
) =>
  createServerProber({ ownListeners: () => [], pause: async () => {}, ...options }).probe(
    probe,
    SecretValue.of(value),
    AbortSignal.timeout(10_000),
  );

describe("what a service answers", () => {
  it.each([
    [200, "accepted"],
    [401, "refused"],
    [403, "refused"],
    [404, "cannot-tell"],
    [503, "cannot-tell"],
    [302, "cannot-tell"],
  ] as const)("%i is %s, and nothing that it says besides is kept", async (status, verdict) => {
    const { port, heard } = await answering(status, { location: "http://127.0.0.1:1/" });
    expect(await ask(spec(`http://127.0.0.1:${port}/`))).toEqual({ verdict, reason: `answered ${status}` });
    expect(heard[0]?.headers["x-internal-secret"]).toBe(CANARY);
    expect(heard).toHaveLength(1);
  });

  it("several connections must agree", async () => {
    const { port } = await answering([200, 401, 200]);
    expect(await ask(spec(`http://127.0.0.1:${port}/`, { connections: 3 }))).toMatchObject({
      verdict: "cannot-tell",
      reason: expect.stringContaining("of 3 connections accepted it"),
    });
    const agreeing = await answering(200);
    expect(await ask(spec(`http://127.0.0.1:${agreeing.port}/`, { connections: 3 }))).toMatchObject({
      verdict: "accepted",
    });
    expect(agreeing.heard).toHaveLength(3);
  });

  it.each([
    [
      "application/json",
      '{"token":"{{value}}"}',
      (text: string) => (JSON.parse(text) as { token: string }).token,
    ],
    [
      "application/x-www-form-urlencoded",
      "token={{value}}",
      (text: string) => new URLSearchParams(text).get("token") ?? "",
    ],
    ["text/plain", "{{value}}", (text: string) => text],
  ])("in a body of %s every value arrives as it is", async (type, body, read) => {
    const { port, heard } = await answering(200);
    const probe = {
      http: {
        url: `http://127.0.0.1:${port}/`,
        method: "POST",
        headers: { "content-type": type },
        body,
        accepted: [200],
        refused: [401],
      },
    };
    await fc.assert(
      fc.asyncProperty(
        fc
          .string({ unit: "binary", minLength: 1, maxLength: 30 })
          .filter((text) => Buffer.from(text).toString() === text),
        async (value) => {
          expect((await ask(probe, value)).verdict).toBe("accepted");
          expect(read(heard.at(-1)?.body ?? "")).toBe(value);
        },
      ),
      { numRuns: 40, examples: [['"\\$&{{value}}\n+&=%'], ["\u{1f511}"]] },
    );
  });

  it.each([
    ["a line break", "one\r\nX-Admin: yes"],
    ["a letter that no header holds", "schlüssel\u{1f511}"],
    ["nothing", ""],
    ["a space at its end, which is cut on the way", "padded "],
    ["half a character", "a\ud800"],
  ])("a value with %s is not sent in a header", async (_what, value) => {
    const { port, heard } = await answering(200);
    const answer = await ask(spec(`http://127.0.0.1:${port}/`), value);
    expect(answer.verdict).toBe("cannot-tell");
    expect(heard).toEqual([]);
    if (value !== "") expect(answer.reason).not.toContain(value);
  });
});

describe("a service that does not answer", () => {
  it.each([
    ["stays silent", () => {}],
    ["ends the line", (socket: import("node:net").Socket) => socket.destroy()],
    ["speaks no HTTP", (socket: import("node:net").Socket) => socket.end("SSH-2.0-x\r\n")],
    [
      "never ends its headers",
      (socket: import("node:net").Socket) => {
        socket.on("error", () => {});
        socket.write(`HTTP/1.1 200 OK\r\nX: ${"a".repeat(200_000)}`);
      },
    ],
  ])("cannot tell: it %s", async (_what, behave) => {
    const port = await listenOn(
      createTcpServer((socket) => {
        socket.on("error", () => {});
        // Read, so that the other end's leaving is noticed.
        socket.resume();
        behave(socket);
      }),
    );
    const answer = await ask(spec(`http://127.0.0.1:${port}/`, { timeoutSeconds: 1 }));
    expect(answer.verdict).toBe("cannot-tell");
    expect(answer.reason).not.toContain(CANARY);
  });

  it("nobody listens", async () => {
    const port = await listenOn(createTcpServer());
    const [server] = servers.splice(0);
    server?.close();
    expect(await ask(spec(`http://127.0.0.1:${port}/`))).toMatchObject({
      verdict: "cannot-tell",
      reason: expect.stringContaining("no connection"),
    });
  });
});

describe("where nothing is asked", () => {
  it.each([
    ["ourselves", "127.0.0.1", "127.0.0.1"],
    ["ourselves on every address", "127.0.0.1", "0.0.0.0"],
    ["ourselves in IPv6 clothes", "[::ffff:127.0.0.1]", "127.0.0.1"],
  ])("%s", async (_what, host, listening) => {
    const { port, heard } = await answering(200);
    const answer = await ask(spec(`http://${host}:${port}/`), CANARY, {
      ownListeners: () => [{ host: listening, port }],
    });
    expect(answer).toEqual({ verdict: "cannot-tell", reason: "not asked: Lockstep itself listens there" });
    expect(heard).toEqual([]);
  });

  it("another address of ours, in IPv6 clothes", async () => {
    const answer = await ask(spec("https://internal.example/"), CANARY, {
      resolve: async () => ["::ffff:10.1.2.3"],
      ownListeners: () => [{ host: "10.1.2.3", port: 443 }],
    });
    expect(answer.reason).toBe("not asked: Lockstep itself listens there");
  });

  it.each([
    ["a metadata service", "https://metadata.example/", ["169.254.169.254"]],
    ["a metadata service in IPv6 clothes", "https://metadata.example/", ["::ffff:169.254.169.254"]],
    ["a name that leads to loopback", "https://rebinding.example/", ["127.0.0.1"]],
    ["a name of which one address is forbidden", "https://mixed.example/", ["192.0.2.1", "fe80::1"]],
    ["no address at all", "https://0.example/", ["0.0.0.0"]],
  ])("%s", async (_what, url, addresses) => {
    const answer = await ask(spec(url), CANARY, { resolve: async () => addresses });
    expect(answer).toMatchObject({ verdict: "cannot-tell", reason: expect.stringMatching(/^not asked: /) });
  });

  it("a name is looked up once, so that a second answer leads nowhere else", async () => {
    let asked = 0;
    const resolve = async (): Promise<readonly string[]> => {
      asked += 1;
      return asked === 1 ? ["169.254.169.254"] : ["127.0.0.1"];
    };
    await ask(spec("https://twice.example/"), CANARY, { resolve });
    expect(asked).toBe(1);
  });
});

describe("over TLS", () => {
  async function secured(certificate: { readonly certificatePem: string; readonly privateKeyPem: string }) {
    const heard: unknown[] = [];
    const port = await listenOn(
      createTlsServer(
        { cert: certificate.certificatePem, key: certificate.privateKeyPem },
        (incoming, response) => {
          heard.push(incoming.headers["x-internal-secret"]);
          response.writeHead(200).end();
        },
      ),
    );
    return { port, heard };
  }

  it("a certificate that is given as an authority is trusted, for its names", async () => {
    const { port, heard } = await secured(TLS);
    for (const host of ["localhost", "127.0.0.1"]) {
      const probe = spec(`https://${host}:${port}/`, { caCertificate: TLS.certificatePem });
      expect(await ask(probe, CANARY, { resolve: async () => ["127.0.0.1"] })).toMatchObject({
        verdict: "accepted",
      });
    }
    expect(heard).toEqual([CANARY, CANARY]);
  });

  it.each([
    ["nobody vouches for it", TLS, undefined],
    ["it is another's", makeSelfSigned(new Date()), TLS.certificatePem],
  ])("a value does not go where the certificate is not right: %s", async (_what, certificate, ca) => {
    const { port, heard } = await secured(certificate);
    const probe = spec(`https://localhost:${port}/`, ca === undefined ? {} : { caCertificate: ca });
    const answer = await ask(probe, CANARY, { resolve: async () => ["127.0.0.1"] });
    expect(answer.verdict).toBe("cannot-tell");
    expect(heard).toEqual([]);
  });

  it("a certificate for another name is not enough", async () => {
    const other = makeSelfSigned(new Date());
    const { port, heard } = await secured(other);
    const probe = spec(`https://localhost:${port}/`, { caCertificate: other.certificatePem });
    expect((await ask(probe, CANARY, { resolve: async () => ["127.0.0.1"] })).verdict).toBe("cannot-tell");
    expect(heard).toEqual([]);
  });
});
