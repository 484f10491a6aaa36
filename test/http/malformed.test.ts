/**
 * Ruling 21 on the wire: what is not HTTP, too large, too slow or addressed twice is answered as every other error, on
 * both listeners, and the connection ends. Nothing comes without the security headers, also from Node's own parser.
 */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AgentServer, createAgentServer } from "../../src/edges/http/agents/server.ts";
import { SECURITY_HEADERS } from "../../src/edges/http/headers.ts";
import { problem } from "../../src/protocol/api-parts.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLocalAgentNotifier } from "../support/local-agent-notifier.ts";
import { createLoopKit } from "../support/loop-kit.ts";

const getDatabase = useDatabase();
let http: HttpKit;
let agents: AgentServer;
const ports: Record<string, number> = {};

beforeAll(async () => {
  const kit = createLoopKit(getDatabase());
  http = await createHttpKit(kit.context, { requestTimeoutMs: 1_000 });
  agents = createAgentServer({
    context: kit.other({ agentNotifier: createLocalAgentNotifier() }),
    tls: null,
    requestTimeoutMs: 1_000,
  });
  ports["the API"] = (await http.server.listen(0)).port;
  ports["the agents' listener"] = await agents.listen("127.0.0.1", 0);
});
afterAll(async () => {
  await agents.close();
  await http.server.close();
});

/** All that comes back until the connection ends. */
async function say(where: string, words: string): Promise<{ head: string; status: number; body: string }> {
  const socket = connect(ports[where] ?? 0, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(words);
  const answered = await text(socket);
  const [head = "", body = ""] = answered.split(/\r\n\r\n(.*)/s);
  return { head: head.toLowerCase(), status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), body };
}

const close = "connection: close\r\n\r\n";
const json = "host: localhost\r\ncontent-type: application/json\r\n";

const CASES: readonly (readonly [what: string, words: string, status: number, code: string])[] = [
  ["what is no HTTP", "hello\r\n\r\n", 400, "REQUEST_MALFORMED"],
  ["an unknown method", `BREW / HTTP/1.1\r\nhost: localhost\r\n${close}`, 400, "REQUEST_MALFORMED"],
  [
    "a header without a name",
    `GET / HTTP/1.1\r\nhost: localhost\r\n: x\r\n${close}`,
    400,
    "REQUEST_MALFORMED",
  ],
  [
    "two lengths",
    `POST / HTTP/1.1\r\n${json}content-length: 2\r\ncontent-length: 3\r\n${close}{}`,
    400,
    "REQUEST_MALFORMED",
  ],
  [
    "a length and chunks",
    `POST / HTTP/1.1\r\n${json}content-length: 2\r\ntransfer-encoding: chunked\r\n${close}0\r\n\r\n`,
    400,
    "REQUEST_MALFORMED",
  ],
  [
    "headers that are too long",
    `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(20_000)}\r\n${close}`,
    431,
    "HEADERS_TOO_LARGE",
  ],
  [
    "an address that is too long",
    `GET /${"x".repeat(20_000)} HTTP/1.1\r\nhost: localhost\r\n${close}`,
    431,
    "HEADERS_TOO_LARGE",
  ],
  [
    "a wrong percent sign",
    `GET /api/v1/%zz HTTP/1.1\r\nhost: localhost\r\n${close}`,
    400,
    "REQUEST_MALFORMED",
  ],
  [
    "two Host headers",
    `GET /healthz HTTP/1.1\r\nhost: localhost\r\nHOST: localhost\r\n${close}`,
    400,
    "REQUEST_MALFORMED",
  ],
  ["no Host header", `GET /healthz HTTP/1.1\r\n${close}`, 400, "REQUEST_MALFORMED"],
  [
    "an absolute address",
    `GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\n${close}`,
    400,
    "REQUEST_MALFORMED",
  ],
  ["a target without a path", `OPTIONS * HTTP/1.1\r\nhost: localhost\r\n${close}`, 400, "REQUEST_MALFORMED"],
  [
    "an expectation",
    `POST / HTTP/1.1\r\n${json}expect: tea\r\ncontent-length: 2\r\n${close}{}`,
    400,
    "REQUEST_MALFORMED",
  ],
  ["a head that does not end", "GET / HTTP/1.1\r\nhost: localhost\r\n", 408, "REQUEST_TOO_SLOW"],
];

describe.each(["the API", "the agents' listener"])("ruling 21: %s", (where) => {
  test.each(CASES)("answers %s as a problem, and ends the connection", async (_what, words, status, code) => {
    const answer = await say(where, words);
    expect(`${answer.status} ${answer.body}`).toContain(`${status} {`);
    expect(problem.parse(JSON.parse(answer.body))).toMatchObject({ code, status });
    expect(answer.head).toContain("content-type: application/problem+json");
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      expect(answer.head).toContain(`${name}: ${value.toLowerCase()}`);
  });

  test("ends a connection on which nothing is ever said", async () => {
    const socket = connect(ports[where] ?? 0, "127.0.0.1");
    expect(await text(socket)).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
  });

  test("ends a request whose body comes a byte at a time", async () => {
    const socket = connect(ports[where] ?? 0, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`POST /agent/v1/enrol HTTP/1.1\r\n${json}content-length: 999\r\n\r\n{`);
    const drip = setInterval(() => socket.write(" "), 50);
    expect(await text(socket)).not.toMatch(/^HTTP\/1\.1 [23]/);
    clearInterval(drip);
  });
});

describe("ruling 21: a method or a media type that nobody serves", () => {
  test.each(["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])(
    "%s is a problem document",
    async (method) => {
      const answer = await say("the API", `${method} /api/v1/status HTTP/1.1\r\n${json}${close}`);
      expect(problem.parse(JSON.parse(answer.body)).status).toBe(answer.status);
      expect([404, 415]).toContain(answer.status);
      expect(answer.head).toContain("x-content-type-options: nosniff");
    },
  );
});

describe("probes", () => {
  test.each(["/healthz", "/readyz", "/healthz?x=1", "/readyz?verbose", "/healthz/", "/readyz/?x=1"])(
    "%s answers any Host, GET and HEAD",
    async (path) => {
      for (const method of ["GET", "HEAD"])
        for (const host of ["10.1.2.3:7420", "[2001:db8::1]:7420", "[::1]", "lockstep.default.svc", ""]) {
          const answer = await say("the API", `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${close}`);
          expect(answer.status, host).toBe(200);
          expect(answer.body).toBe(method === "GET" ? '{"status":"ok"}' : "");
        }
    },
  );

  test("of a balancer that speaks HTTP/1.0 and names no host are answered", async () => {
    expect((await say("the API", "GET /healthz HTTP/1.0\r\n\r\n")).status).toBe(200);
  });

  test.each(["/healthz/x", "//healthz", "/metrics", "/api/v1/openapi.json"])(
    "%s is none of them",
    async (path) => {
      const answer = await say("the API", `GET ${path} HTTP/1.1\r\nhost: 10.1.2.3\r\n${close}`);
      expect(answer.status).toBe(421);
    },
  );
});
