/** What stands around the verifier: frameworks in front of it, files under it, and those who read its counts. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createVerifier,
  expressVerifier,
  fastifyVerifier,
  honoVerifier,
  type Use,
  usageEndpoint,
  writeUsageFile,
} from "../../src/sdk/verify.ts";

const VALUES = { primary: "the-old-value", fallback: "the-new-value" };
const verifierOf = () => createVerifier({ name: "KEY", source: () => VALUES });

const servers: Server[] = [];
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sdk-"));
});
afterEach(async () => {
  rmSync(directory, { recursive: true, force: true });
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, "close");
  }
});

async function listen(handler: Parameters<typeof createServer>[1]): Promise<number> {
  const server = createServer(handler as never);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function ask(
  port: number,
  headers: readonly string[],
  { method = "GET", path = "/", body = "" } = {},
): Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }> {
  const outgoing = request({
    host: "127.0.0.1",
    port,
    method,
    path,
    agent: false,
    headers: headers as never,
  });
  outgoing.end(body);
  const [answer] = await once(outgoing, "response");
  let text = "";
  for await (const part of answer) text += String(part);
  return { status: answer.statusCode, text, headers: answer.headers };
}

describe.each([
  [
    "Express",
    async () => {
      const app = express();
      app.use(expressVerifier(verifierOf()));
      app.get("/", (incoming, response) => {
        response.json((incoming as { lockstep?: unknown }).lockstep);
      });
      return listen(app);
    },
  ],
  [
    "Node's own server",
    async () => {
      const judge = expressVerifier(verifierOf());
      return listen((incoming, response) =>
        judge(incoming, response, () =>
          response.end(JSON.stringify((incoming as { lockstep?: unknown }).lockstep)),
        ),
      );
    },
  ],
  [
    "Fastify",
    async () => {
      const app = fastify();
      app.addHook("onRequest", fastifyVerifier(verifierOf()) as never);
      app.get("/", async (incoming) => (incoming as { lockstep?: unknown }).lockstep);
      await app.listen({ port: 0, host: "127.0.0.1" });
      servers.push(app.server);
      return (app.server.address() as AddressInfo).port;
    },
  ],
] as const)("in front of %s", (_name, start) => {
  it("lets either value in, says who and which slot, and refuses the rest with nothing in it", async () => {
    const port = await start();
    const ok = await ask(port, [
      "X-Internal-Secret",
      VALUES.fallback,
      "X-Lockstep-Caller",
      "billing",
      "host",
      "a",
    ]);
    expect(ok).toMatchObject({ status: 200, text: JSON.stringify({ slot: "fallback", caller: "billing" }) });
    for (const headers of [
      ["host", "a"],
      ["X-Internal-Secret", "wrong", "host", "a"],
      ["X-Internal-Secret", "", "host", "a"],
      ["X-Internal-Secret", VALUES.primary, "x-internal-secret", VALUES.primary, "host", "a"],
    ]) {
      expect(await ask(port, headers)).toMatchObject({ status: 401, text: "" });
    }
  });
});

it("in front of Hono lets either value in, and refuses the rest before any handler", async () => {
  const app = new Hono<{ Variables: { lockstep: Use } }>();
  let handled = 0;
  app.use(honoVerifier(verifierOf()));
  app.get("/", (context) => {
    handled += 1;
    return context.json(context.get("lockstep"));
  });
  const headers = { "x-internal-secret": VALUES.fallback, "x-lockstep-caller": "billing" };
  const ok = await app.request("/", { headers });
  expect([ok.status, await ok.json()]).toEqual([200, { slot: "fallback", caller: "billing" }]);
  for (const wrong of [
    {},
    { "x-internal-secret": "wrong" },
    [
      ["x-internal-secret", VALUES.primary],
      ["x-internal-secret", VALUES.primary],
    ] as [string, string][],
  ]) {
    const refused = await app.request("/", { headers: wrong as never });
    expect([refused.status, await refused.text()]).toEqual([401, ""]);
  }
  expect(handled).toBe(1);
});

it("in front of Hono it reads web-standard requests", async () => {
  const judge = honoVerifier(verifierOf(), { header: "authorization" });
  const set = vi.fn();
  const next = vi.fn(async () => {});
  const context = (value: string) => ({
    req: { raw: new Request("http://a/", { headers: { authorization: value } }) },
    set,
  });
  expect(await judge(context(`Bearer ${VALUES.primary}`), next)).toBeUndefined();
  expect(set).toHaveBeenCalledWith("lockstep", expect.objectContaining({ slot: "primary" }));
  const refused = await judge(context(VALUES.primary), next);
  expect([refused?.status, refused?.headers.get("www-authenticate"), await refused?.text()]).toEqual([
    401,
    "Bearer",
    "",
  ]);
  expect(next).toHaveBeenCalledTimes(1);
});

describe("the counts over HTTP", () => {
  const token = "0123456789abcdef0123456789abcdef";

  it("go to the token's holder alone, and tell by a nonce which value is meant, without the value", async () => {
    const verifier = verifierOf();
    verifier.verify(VALUES.primary, { caller: "billing" });
    const port = await listen(usageEndpoint(verifier, { token }));
    expect((await ask(port, ["host", "a"])).status).toBe(401);
    expect((await ask(port, ["authorization", "Bearer wrong", "host", "a"])).status).toBe(401);
    const nonce = randomBytes(32);
    const answer = await ask(
      port,
      ["authorization", `Bearer ${token}`, "content-type", "application/json", "host", "a"],
      { method: "POST", body: JSON.stringify({ nonce: nonce.toString("base64url") }) },
    );
    expect(answer).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
    const report = JSON.parse(answer.text);
    const expected = createHash("sha256").update(nonce).update(VALUES.primary).digest("hex");
    expect(report.slots.primary).toMatchObject({
      count: 1,
      answer: expected,
      callers: { billing: { count: 1 } },
    });
    expect(answer.text).not.toContain(VALUES.primary);
    expect(
      (await ask(port, ["authorization", `Bearer ${token}`, "host", "a"], { path: "/?nonce=short" })).status,
    ).toBe(400);
    expect(
      (await ask(port, ["authorization", `Bearer ${token}`, "host", "a"], { method: "DELETE" })).status,
    ).toBe(405);
  });

  it("need a token that cannot be guessed", () => {
    expect(() => usageEndpoint(verifierOf(), { token: "short" })).toThrow(TypeError);
  });
});

it("the counts in a file are their owner's alone, complete, and free of values", () => {
  const path = join(directory, "usage.json");
  const file = writeUsageFile(verifierOf(), path, 60_000);
  file.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, "utf8");
  expect(JSON.parse(text)).toMatchObject({ v: 1, name: "KEY" });
  expect(text).not.toContain(VALUES.primary);
});

describe("values in a file", () => {
  it("are followed through an atomic replacement, and a half-written file takes none away", async () => {
    const path = join(directory, "env");
    const write = (text: string): void => {
      writeFileSync(`${path}.new`, text, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    };
    write("KEY='one'\n");
    const onSourceError = vi.fn();
    const verifier = createVerifier({
      name: "KEY",
      source: { file: path, format: "dotenv", pollMs: 20 },
      onSourceError,
    });
    expect(verifier.verify("one")).toMatchObject({ accepted: true, slot: "primary" });
    expect(verifier.verify("two")).toEqual({ accepted: false });
    write("KEY='two'\nKEY_FALLBACK='one'\n");
    await vi.waitFor(() => expect(verifier.verify("two").accepted).toBe(true));
    expect(verifier.verify("one")).toMatchObject({ accepted: true, slot: "fallback" });
    write("NOTHING='here'\n");
    await vi.waitFor(() => expect(onSourceError).toHaveBeenCalled());
    expect(verifier.verify("two").accepted).toBe(true);
    verifier.close();
  });

  it.each([
    ["dotenv", "KEY=the-old-value\n", "KEY=the-ne", "w-value\n"],
    ["dotenv", "KEY='the-old-value'\n", "KEY='the-ne", "w-value'\n"],
    ["raw", "the-old-value\n", "the-ne", "w-value\n"],
    ["json", '{"KEY":"the-old-value"}', '{"KEY":"the-ne', 'w-value"}'],
  ] as const)(
    "of %s: what is written in place, in halves, is never taken by half (%s)",
    async (format, whole, first, second) => {
      const path = join(directory, `in-place-${format}-${whole.length}`);
      writeFileSync(path, whole, { mode: 0o600 });
      const verifier = createVerifier({
        name: "KEY",
        source: { file: path, format, pollMs: 5 },
        onSourceError: () => {},
      });
      const accepted = (value: string) => verifier.verify(value).accepted;
      expect(accepted("the-old-value")).toBe(true);
      // As `cat > file` does it: emptied first, then a piece, then the rest; each seen for some rounds of the event loop.
      const handle = openSync(path, "w");
      const seen = async () => {
        for (let round = 0; round < 5; round += 1) {
          utimesSync(path, new Date(), new Date(Date.now() + round * 1000));
          await new Promise((resolve) => setImmediate(resolve));
          expect([accepted("the-old-value"), accepted("the-ne"), accepted("'the-ne"), accepted("")]).toEqual([
            true,
            false,
            false,
            false,
          ]);
        }
      };
      await seen();
      writeSync(handle, first);
      await seen();
      writeSync(handle, second);
      closeSync(handle);
      await vi.waitFor(() => expect(accepted("the-new-value")).toBe(true), { timeout: 20_000 });
      expect([accepted("the-old-value"), accepted("the-ne")]).toEqual([false, false]);
      verifier.close();
    },
  );
});
