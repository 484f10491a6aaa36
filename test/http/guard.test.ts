/** What a page in the operator's browser, a slow peer and a curious one meet. */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTelemetry } from "../../src/adapters/telemetry/telemetry.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { startMetricsListener } from "../../src/edges/http/metrics.ts";
import { useDatabase } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit } from "../support/loop-kit.ts";

const getDatabase = useDatabase();
let http: HttpKit;
let viewer: string;
let port: number;
let context: AppContext;

beforeAll(async () => {
  const telemetry = createTelemetry({
    release: "0.0.0-test",
    pool: () => ({ total: 0, idle: 0, waiting: 0, most: 1 }),
  });
  context = createLoopKit(getDatabase()).other({ telemetry });
  http = await createHttpKit(context, {
    settings: { listenAddress: "127.0.0.1", allowedHosts: ["lockstep.example.com", "10.0.0.5:9000"] },
    requestTimeoutMs: 500,
  });
  port = (await http.server.listen(0)).port;
  viewer = await http.token("viewer");
});
afterAll(() => http.server.close());

describe("the Host header", () => {
  test.each([
    "localhost",
    "127.0.0.1",
    "[::1]",
    "lockstep.example.com",
    "lockstep.example.com:8443",
    "10.0.0.5:9000",
  ])("may be %s", async (host) => {
    expect((await http.ask("/api/v1/status", { headers: { host } })).status).toBe(200);
  });

  test("may be loopback with our port", async () => {
    const { status } = await http.ask("/api/v1/status", { headers: { host: `127.0.0.1:${port}` } });
    expect(status).toBe(200);
  });

  test.each([
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1:1",
    "10.0.0.5",
    "",
    "lockstep.example.com.evil.example",
  ])("is refused with 421 when it is %j", async (host) => {
    const answer = await http.ask("/api/v1/status", { headers: { host } });
    expect(answer.status).toBe(421);
    expect(answer.json()).toMatchObject({ code: "HOST_NOT_ALLOWED" });
  });
});

describe("an Origin", () => {
  test.each(["https://evil.example", "http://localhost:1", "null"])("of %s is refused", async (origin) => {
    const answer = await http.ask("/api/v1/status", { headers: { origin } });
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({ code: "ORIGIN_NOT_ALLOWED" });
    expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
  });

  test("of our own is fine", async () => {
    const { status } = await http.ask("/api/v1/status", { headers: { origin: "http://localhost" } });
    expect(status).toBe(200);
  });

  test("that a browser hides behind fetch metadata is refused too", async () => {
    const { status } = await http.ask("/api/v1/status", { headers: { "sec-fetch-site": "cross-site" } });
    expect(status).toBe(403);
  });
});

describe("a write", () => {
  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])(
    "with content type %j is refused with 415",
    async (type) => {
      const answer = await http.ask("/api/v1/check", {
        method: "POST",
        body: "{}",
        headers: { "content-type": type },
      });
      expect(answer.status).toBe(415);
      expect(answer.json()).toMatchObject({ code: "CONTENT_TYPE_NOT_ALLOWED" });
    },
  );

  test("without a body needs the content type too, because a form can send an empty one", async () => {
    const headers = { host: "localhost", authorization: `Bearer ${viewer}` };
    const answer = await http.server.app.inject({ method: "POST", url: "/api/v1/rewrap", headers });
    expect(answer.statusCode).toBe(415);
  });

  test("that is too large is refused with 413", async () => {
    const answer = await http.ask("/api/v1/check", {
      method: "POST",
      body: { target: "x".repeat(2 ** 20) },
    });
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({ code: "BODY_TOO_LARGE" });
  });

  test("that is not JSON is refused without quoting it", async () => {
    const answer = await http.ask("/api/v1/check", { method: "POST", body: '{"canary-value' });
    expect(answer.status).toBe(422);
    expect(answer.text).not.toContain("canary");
  });

  test("with an unknown field is refused, so that a typing error does not widen what is meant", async () => {
    const answer = await http.ask("/api/v1/check", { method: "POST", body: { targets: "api" } });
    expect(answer.json()).toMatchObject({ code: "INPUT_INVALID", details: { where: "body" } });
  });
});

describe("a token", () => {
  test("that was revoked is refused with the next request", async () => {
    const token = await http.token("viewer");
    expect((await http.ask("/api/v1/status", { token })).status).toBe(200);
    await http.ask(`/api/v1/tokens/${token.split("_")[1]}/revoke`, { method: "POST" });
    expect((await http.ask("/api/v1/status", { token })).status).toBe(401);
  });

  test.each([null, "lsk_unknown_0123456789", "short"])("that is %j is refused", async (token) => {
    const answer = await http.ask("/api/v1/status", { token });
    expect(answer.status).toBe(401);
    expect(answer.json()).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("without the permission is refused with its name", async () => {
    const answer = await http.ask("/api/v1/tokens", { token: viewer });
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject({
      code: "FORBIDDEN",
      detail: expect.stringContaining("token.manage"),
    });
  });
});

test("every answer forbids framing, sniffing and caching", async () => {
  for (const url of ["/api/v1/status", "/nowhere", "/healthz", "/api/v1/%zz"]) {
    const { headers } = await http.ask(url);
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
  }
});

test("an unknown address is a problem document", async () => {
  const answer = await http.ask("/api/v1/nowhere");
  expect(answer.status).toBe(404);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
});

test("health is answered under any name, and readiness asks the store", async () => {
  for (const url of ["/healthz", "/readyz"]) {
    const answer = await http.ask(url, { token: null, headers: { host: "10.1.2.3:7420" } });
    expect(answer).toMatchObject({ status: 200, text: '{"status":"ok"}' });
  }
});

test("a body that does not arrive in time ends the connection", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `POST /api/v1/check HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`,
  );
  expect(await text(socket)).toMatch(/^(?:HTTP\/1\.1 408 |$)/);
});

describe("/metrics", () => {
  test("answers loopback without a token, and counts requests by route", async () => {
    const answer = await http.ask("/metrics", { token: null });
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/lockstep_targets_owed \d+/);
    expect(answer.text).toContain(
      'lockstep_http_requests_total{method="GET",route="/api/v1/status",status="200"}',
    );
  });

  test("asks who stands behind a proxy for a token", async () => {
    const headers = { "x-forwarded-for": "203.0.113.9" };
    expect((await http.ask("/metrics", { token: null, headers })).status).toBe(401);
    expect((await http.ask("/metrics", { token: viewer, headers })).status).toBe(200);
    const without = await http.token("reveal");
    expect((await http.ask("/metrics", { token: without, headers })).status).toBe(403);
  });

  test("of a worker are its own alone, under the same guard, and nothing else is there", async () => {
    const listener = await startMetricsListener({
      context,
      settings: { address: "127.0.0.1", port: 0, allowedHosts: [], trustedProxies: [] },
    });
    const ask = async (headers: Readonly<Record<string, string>> = {}, path = "/metrics") => {
      const request = get({ host: "127.0.0.1", port: listener.port, path, headers, agent: false });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      return { status: response.statusCode, body: await text(response) };
    };
    try {
      const own = await ask();
      expect(own.status).toBe(200);
      expect(own.body).toContain("process_resident_memory_bytes");
      expect(own.body).not.toMatch(/lockstep_targets|lockstep_store_up/);
      const foreign = { "x-forwarded-for": "203.0.113.9" };
      expect((await ask(foreign)).status).toBe(401);
      expect((await ask({ ...foreign, authorization: `Bearer ${viewer}` })).status).toBe(200);
      expect((await ask({ host: "evil.example" })).status).toBe(421);
      expect((await ask({ origin: "https://evil.example" })).status).toBe(403);
      expect((await ask({}, "/api/v1/status")).status).toBe(404);
    } finally {
      await listener.close();
    }
  });
});
