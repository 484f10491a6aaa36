/** Lines that are kept: used again, judged and verified once, and never taken for what they are not. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import { type KeptQuestion, Unanswered } from "../../src/adapters/outgoing/kept-line.ts";
import { KeptLines, type KeptLinesOptions } from "../../src/adapters/outgoing/kept-lines.ts";

const TLS = JSON.parse(readFileSync(new URL("../vectors/outside-tls.json", import.meta.url), "utf8")) as {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};

/** Speaks raw bytes: what a line holds matters here, not what an answer says. */
let server: Server;
let port: number;
let lines: Socket[];
let heard: string[];
let answer: (socket: Socket, request: string) => void;
let kept: KeptLines;

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const dial = createDial({ ownListeners: () => [] });
const signal = () => AbortSignal.timeout(10_000);
const read: KeptQuestion = { path: "/", method: "GET", headers: {}, body: null, repeatable: true };
const write: KeptQuestion = { ...read, method: "POST", body: Buffer.from("x"), repeatable: false };

const keep = (options: Partial<KeptLinesOptions> = {}): KeptLines =>
  new KeptLines({
    connect: dial,
    url: new URL(`http://127.0.0.1:${port}`),
    maxAnswerBytes: 1_000,
    ...options,
  });

beforeAll(async () => {
  server = createServer((socket) => {
    lines.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      const request = chunk.toString("latin1");
      heard.push(request.split(" ")[0] ?? "");
      answer(socket, request);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());
beforeEach(() => {
  lines = [];
  heard = [];
  answer = (socket) => void socket.write(OK);
  kept = keep();
});
afterEach(() => {
  kept.close();
  for (const line of lines) line.destroy();
});

const failure = async (asked: Promise<unknown>): Promise<Unanswered> => {
  const error = await asked.then(
    () => null,
    (one: unknown) => one,
  );
  expect(error).toBeInstanceOf(Unanswered);
  return error as Unanswered;
};

describe("a line", () => {
  it("is used again, one request at a time", async () => {
    for (let count = 0; count < 3; count += 1) await kept.ask(read, signal());
    expect(lines).toHaveLength(1);
    await Promise.all([1, 2, 3].map(() => kept.ask(write, signal())));
    expect(lines).toHaveLength(3);
    expect(kept.openLines).toBe(3);
  });

  it("is one of a bounded number", async () => {
    kept = keep({ maxLines: 2 });
    await Promise.all(Array.from({ length: 20 }, () => kept.ask(read, signal())));
    expect(lines).toHaveLength(2);
    expect(heard).toHaveLength(20);
  });

  it("is looked up and judged once, and not per request", async () => {
    const connect = vi.fn(dial);
    kept = keep({ connect });
    for (let count = 0; count < 3; count += 1) await kept.ask(read, signal());
    expect(connect).toHaveBeenCalledTimes(1);
  });

  it("ends when it rests too long", async () => {
    kept = keep({ idleMs: 1 });
    await kept.ask(read, signal());
    await once(lines[0] as Socket, "close");
    expect(kept.openLines).toBe(0);
    await kept.ask(read, signal());
    expect(lines).toHaveLength(2);
  });

  it("is not kept beyond what the server says", async () => {
    answer = (socket) =>
      void socket.write(OK.replace("Content-Length", "Keep-Alive: timeout=1\r\nContent-Length"));
    await kept.ask(read, signal());
    await once(lines[0] as Socket, "close");
  });

  it("is not kept after Connection: close", async () => {
    answer = (socket) =>
      void socket.write(OK.replace("Content-Length", "Connection: close\r\nContent-Length"));
    await kept.ask(read, signal());
    await once(lines[0] as Socket, "close");
    expect(kept.openLines).toBe(0);
  });

  it("on which something came unasked is not used again: it would be taken for the next answer", async () => {
    await kept.ask(read, signal());
    const [line] = lines as [Socket];
    line.write(OK.replace("200 OK", "408 Stale"));
    await once(line, "close");
    expect((await kept.ask(write, signal())).status).toBe(200);
    expect(lines).toHaveLength(2);
  });

  it("ends with the others, and new ones begin afterwards", async () => {
    await kept.ask(read, signal());
    kept.close();
    await once(lines[0] as Socket, "close");
    await kept.ask(read, signal());
    expect(lines).toHaveLength(2);
  });
});

describe("a line that the server closes in the moment in which it is used", () => {
  /** The first request of a line is answered; a later one finds it closed. */
  const closeSecond = (): void => {
    const seen = new Set<Socket>();
    answer = (socket) => {
      if (seen.has(socket)) socket.destroy();
      else socket.write(OK);
      seen.add(socket);
    };
  };

  it("what may be repeated is sent once more, on a new one", async () => {
    closeSecond();
    await kept.ask(read, signal());
    expect((await kept.ask(read, signal())).status).toBe(200);
    expect(heard).toEqual(["GET", "GET", "GET"]);
    expect(lines).toHaveLength(2);
  });

  it("once, and not for ever", async () => {
    await kept.ask(read, signal());
    answer = (socket) => void socket.destroy();
    expect(await failure(kept.ask(read, signal()))).toMatchObject({ trouble: "line", sent: true });
    expect(heard).toHaveLength(3);
  });

  it("what may not be repeated is not, and it is told that it was sent", async () => {
    closeSecond();
    await kept.ask(read, signal());
    expect(await failure(kept.ask(write, signal()))).toMatchObject({ trouble: "line", sent: true });
    expect(heard).toEqual(["GET", "POST"]);
  });

  it("what may not be repeated takes no line that rested for long", async () => {
    kept = keep({ justUsedMs: -1 });
    await kept.ask(read, signal());
    await kept.ask(write, signal());
    expect(lines).toHaveLength(2);
    await kept.ask(read, signal());
    expect(lines).toHaveLength(2);
  });

  it("is noticed before, where it shows before", async () => {
    await kept.ask(read, signal());
    const [line] = lines as [Socket];
    line.end();
    await once(line, "close");
    await kept.ask(write, signal());
    expect(heard).toEqual(["GET", "POST"]);
  });
});

describe("without a whole answer it is told whether anything was sent:", () => {
  it("nothing, where nobody listens", async () => {
    const nobody = createServer().listen(0, "127.0.0.1");
    await once(nobody, "listening");
    const { port: free } = nobody.address() as AddressInfo;
    nobody.close();
    await once(nobody, "close");
    kept = keep({ url: new URL(`http://127.0.0.1:${free}`) });
    expect(await failure(kept.ask(write, signal()))).toMatchObject({
      trouble: "line",
      sent: false,
      message: "no connection: refused",
    });
  });

  it("nothing, where the address may not be asked", async () => {
    kept = keep({ connect: createDial({ ownListeners: () => [{ host: "127.0.0.1", port }] }) });
    expect(await failure(kept.ask(write, signal()))).toMatchObject({ sent: false });
    expect(lines).toHaveLength(0);
  });

  it("nothing, where it was given up before", async () => {
    expect(await failure(kept.ask(write, AbortSignal.abort()))).toMatchObject({
      trouble: "late",
      sent: false,
    });
    expect(lines).toHaveLength(0);
  });

  it("nothing, where it was given up while the line was opened", async () => {
    const controller = new AbortController();
    kept = keep({
      connect: async () => {
        controller.abort();
        return await new Promise(() => undefined);
      },
    });
    expect(await failure(kept.ask(write, controller.signal))).toMatchObject({ trouble: "late", sent: false });
  });

  it("it was, where the answer does not come", async () => {
    const controller = new AbortController();
    answer = () => controller.abort();
    expect(await failure(kept.ask(write, controller.signal))).toMatchObject({ trouble: "late", sent: true });
    await once(lines[0] as Socket, "close");
    expect(kept.openLines).toBe(0);
  });

  it.each([
    ["cut off", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", "line"],
    ["no HTTP", "hello\r\n\r\n", "not-http"],
    ["too large", `HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${"x".repeat(2_000)}`, "too-large"],
    ["another protocol", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "not-http"],
  ] as const)("it was, where the answer is %s", async (_what, raw, trouble) => {
    answer = (socket) => void socket.end(raw);
    expect(await failure(kept.ask(write, signal()))).toMatchObject({ trouble, sent: true });
  });
});

describe("an answer", () => {
  it("is one, also when it leads elsewhere", async () => {
    answer = (socket) =>
      void socket.write(
        "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
      );
    expect(await kept.ask(write, signal())).toMatchObject({
      status: 307,
      headers: { location: "http://127.0.0.1:1/" },
    });
    expect(lines).toHaveLength(1);
  });
});

describe("TLS", () => {
  it("is verified, with an authority of our own, once per line", async () => {
    let count = 0;
    const secure = createTlsServer(
      { cert: TLS.certificatePem, key: TLS.privateKeyPem },
      async (request, response) => response.end(await text(request)),
    );
    secure.on("secureConnection", () => {
      count += 1;
    });
    secure.listen(0, "127.0.0.1");
    await once(secure, "listening");
    try {
      const address = secure.address() as AddressInfo;
      const connect = createDial({ ownListeners: () => [], resolve: async () => ["127.0.0.1"] });
      const over = (host: string, caCertificate?: string): KeptLines => {
        kept.close();
        kept = keep({
          connect: (_host, at, limited) => connect("localhost", at, limited),
          url: new URL(`https://${host}:${address.port}`),
          caCertificate,
        });
        return kept;
      };
      expect(await failure(over("outside.example").ask(write, signal()))).toMatchObject({
        trouble: "certificate",
        sent: false,
      });
      expect(await failure(over("another.example", TLS.certificatePem).ask(write, signal()))).toMatchObject({
        trouble: "certificate",
        sent: false,
      });
      count = 0;
      over("outside.example", TLS.certificatePem);
      for (let asked = 0; asked < 3; asked += 1)
        expect(`${(await kept.ask(write, signal())).body}`).toBe("x");
      expect(count).toBe(1);
    } finally {
      kept.close();
      secure.close();
      secure.closeAllConnections();
    }
  });
});
