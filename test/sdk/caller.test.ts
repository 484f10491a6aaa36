import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCaller } from "../../src/sdk/caller/create-caller.ts";

const OLD = "canary-old";
const NEW = "canary-new";
interface Seen {
  readonly value: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}
let seen: Seen[];
let accepted: string[];
let refusal: number;
let location: string | null;
let server: Server;
let origin: string;

beforeEach(async () => {
  seen = [];
  accepted = [OLD];
  refusal = 401;
  location = null;
  server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const value = request.headers["x-internal-secret"] as string | undefined;
    seen.push({ value, url: request.url, body: Buffer.concat(chunks).toString() });
    if (!accepted.includes(value ?? "")) response.writeHead(refusal).end("no".repeat(100_000));
    else if (request.url === "/moved" && location !== null) response.writeHead(302, { location }).end();
    else response.end("yes");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const values = () => seen.map(({ value }) => value);
const both = () => ({ primary: NEW, fallback: OLD });

describe("a caller", () => {
  it("sends the primary value, and the other one where that is refused", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    const response = await caller.fetch(`${origin}/a`, { method: "POST", body: "text" });
    expect([response.status, await response.text(), values()]).toEqual([200, "yes", [NEW, OLD]]);
    expect(seen.map(({ body }) => body)).toEqual(["text", "text"]);
  });

  it("remembers which one worked for a minute, and never drops the other", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    await caller.fetch(origin);
    await caller.fetch(origin);
    expect(values()).toEqual([NEW, OLD, OLD]);
    expect(caller.headers(origin)).toEqual({ "x-internal-secret": OLD });
    accepted = [NEW];
    expect((await caller.fetch(origin)).status).toBe(200);
    await caller.fetch(origin);
    expect(values().slice(3)).toEqual([OLD, NEW, NEW]);
    accepted = [OLD];
    await caller.fetch(origin);
    accepted = [OLD, NEW];
    vi.setSystemTime(Date.now() + 60_001);
    await caller.fetch(origin);
    expect(values().slice(6)).toEqual([NEW, OLD, NEW]);
  });

  it("remembers the value, not the slot", async () => {
    let held = { primary: OLD, fallback: NEW };
    accepted = [NEW];
    const caller = createCaller({ name: "KEY", origins: [origin], source: () => held });
    await caller.fetch(origin);
    held = { primary: NEW, fallback: OLD };
    await caller.fetch(origin);
    expect(values()).toEqual([OLD, NEW, NEW]);
  });

  it("tries twice at most, and gives back the last answer", async () => {
    accepted = [];
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    expect((await caller.fetch(origin)).status).toBe(401);
    expect(values()).toEqual([NEW, OLD]);
  });

  it("does not try the other slot on 403 unless told", async () => {
    refusal = 403;
    const plain = createCaller({ name: "KEY", origins: [origin], source: both });
    expect((await plain.fetch(origin)).status).toBe(403);
    const told = createCaller({ name: "KEY", origins: [origin], source: both, retryOn: [401, 403] });
    expect((await told.fetch(origin)).status).toBe(200);
    expect(values()).toEqual([NEW, NEW, OLD]);
  });

  it.each<[string, () => NonNullable<RequestInit["body"]>, number]>([
    ["a string", () => "x=1", 2],
    ["bytes", () => new TextEncoder().encode("x=1"), 2],
    ["a buffer", () => new TextEncoder().encode("x=1").buffer, 2],
    ["parameters", () => new URLSearchParams({ x: "1" }), 2],
    ["a stream", () => new Blob(["x=1"]).stream(), 1],
  ])("with %s as its body it sends as often as that allows", async (_what, body, times) => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    const init = { method: "POST", body: body(), duplex: "half" } as RequestInit;
    await caller.fetch(origin, init);
    expect(seen.map((one) => one.body)).toEqual(Array(times).fill("x=1"));
  });

  it("sends a form twice, and a Request's body once", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    const form = new FormData();
    form.set("x", "1");
    expect((await caller.fetch(origin, { method: "POST", body: form })).status).toBe(200);
    expect(seen.map(({ body }) => body.includes('name="x"'))).toEqual([true, true]);
    seen = [];
    const other = createCaller({ name: "KEY", origins: [origin], source: both });
    const request = new Request(origin, { method: "POST", body: "x" });
    expect((await other.fetch(request)).status).toBe(401);
    expect((await other.fetch(new Request(origin))).status).toBe(200);
    expect(values()).toEqual([NEW, NEW, OLD]);
  });

  it("follows a redirect within the origin, and never one that leaves it", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: () => ({ primary: OLD }) });
    location = "/there";
    expect(await (await caller.fetch(`${origin}/moved`)).text()).toBe("yes");
    expect(seen.map(({ url }) => url)).toEqual(["/moved", "/there"]);
    location = origin.replace("127.0.0.1", "localhost");
    expect((await caller.fetch(`${origin}/moved`)).status).toBe(302);
    location = "/there";
    expect((await caller.fetch(`${origin}/moved`, { method: "POST", body: "x" })).status).toBe(302);
    expect((await caller.fetch(`${origin}/moved`, { redirect: "manual" })).status).toBe(302);
    location = "/moved";
    expect((await caller.fetch(`${origin}/moved`)).status).toBe(302);
    expect(seen).toHaveLength(2 + 3 + 6);
  });

  it("sends to configured origins alone", async () => {
    const parts = fc.record({
      scheme: fc.constantFrom("http", "https"),
      host: fc.constantFrom("a.test", "b.test", "a.test.evil", "a.test@evil.test", "A.TEST"),
      port: fc.constantFrom("", ":80", ":443", ":8080"),
      path: fc.constantFrom("", "/", "/https://a.test", "?a.test"),
    });
    const caller = createCaller({ name: "KEY", origins: ["https://a.test"], source: both });
    const allowed = (url: string) => /^https:\/\/a\.test(?::443)?(?:[/?]|$)/i.test(url);
    fc.assert(
      fc.property(parts, ({ scheme, host, port, path }) => {
        const url = `${scheme}://${host}${port}${path}`;
        if (allowed(url)) expect(caller.headers(url)).toEqual({ "x-internal-secret": NEW });
        else expect(() => caller.headers(url)).toThrow(/is not among the origins/);
      }),
      { numRuns: 300 },
    );
    await expect(caller.fetch(`${origin}/?token=t`)).rejects.toThrow(`not sent to ${origin}:`);
    await expect(caller.fetch("/relative")).rejects.toThrow(/no absolute URL/);
    expect(seen).toEqual([]);
  });

  it.each(["https://a.test/path", "a.test", "ftp://a.test", "https://u:p@a.test", "*", "https://a.test?x"])(
    "refuses %s as an origin",
    (written) => {
      expect(() => createCaller({ name: "KEY", origins: [written] })).toThrow(/an origin is written like/);
    },
  );

  it.each(["\n", "\r", "\u0000", "\u0100", " ", "\t"])(
    "refuses a value that ends in %j, unseen",
    async (end) => {
      const caller = createCaller({
        name: "KEY",
        origins: [origin],
        source: () => ({ primary: `canary${end}` }),
      });
      const error = await caller.fetch(origin).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "CALLER_UNSENDABLE" });
      expect(inspect(error, { showHidden: true })).not.toContain("canary");
      expect(seen).toEqual([]);
    },
  );

  it("shows no value in itself, nor in an error of the network", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    server.removeAllListeners("request");
    // Not HTTP: the parser's error keeps what came.
    server.on("request", (request) =>
      request.socket.end(`HTTP/1.1 ${request.headers["x-internal-secret"]}\r\n\r\n`),
    );
    const error = await caller.fetch(origin).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CALLER_REQUEST" });
    const shown = [caller, error].map(
      (one) => inspect(one, { depth: 9, showHidden: true }) + JSON.stringify(one),
    );
    expect(shown.join()).not.toContain("canary");
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(caller.fetch(origin)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    server.listen(0);
  });

  it("gives the value to another client, and again with the other slot", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: both });
    const sent: string[] = [];
    const answer = await caller.attempt(async (value, slot) => {
      sent.push(`${slot} ${value}`);
      return { status: value === OLD ? 204 : 401 };
    });
    expect([answer, sent]).toEqual([{ status: 204 }, [`primary ${NEW}`, `fallback ${OLD}`]]);
  });

  it("says who calls, and sends a bearer token where that is the header", () => {
    const options = { name: "KEY", origins: [origin], source: both };
    const caller = createCaller({ ...options, header: "authorization", caller: "web" });
    expect(caller.headers(origin)).toEqual({ authorization: `Bearer ${NEW}`, "x-lockstep-caller": "web" });
    expect(() => createCaller({ ...options, caller: "a b" })).toThrow(/caller's name/);
  });

  it("without a value it sends nothing", async () => {
    const caller = createCaller({ name: "KEY", origins: [origin], source: () => ({ primary: "" }) });
    await expect(caller.fetch(origin)).rejects.toMatchObject({ code: "CALLER_NO_VALUE" });
    expect(seen).toEqual([]);
  });
});
