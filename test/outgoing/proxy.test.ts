/** The way out through a proxy: only where it was told, TLS from end to end, credentials to the proxy alone. */
import { execFile } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { postMessage } from "../../src/adapters/channels/post-message.ts";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import { createTransport } from "../../src/edges/agent/client/transport.ts";
import { overUrl, unreachable } from "../../src/edges/cli/transport.ts";
import { readNoProxy } from "../../src/lib/proxy/no-proxy.ts";
import { chooseWayOut, DIRECT, proxyCredential, proxyFor } from "../../src/lib/proxy/way-out.ts";
import { readWayOut } from "../../src/settings/settings.ts";
import { childProgram } from "../support/child-program.ts";
import { type ConnectProxy, startConnectProxy } from "../support/connect-proxy.ts";

const TLS = JSON.parse(readFileSync(new URL("../vectors/outside-tls.json", import.meta.url), "utf8")) as {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
};
const CANARY = "canary-3c1d";
const signal = () => AbortSignal.timeout(10_000);

describe("NO_PROXY", () => {
  it.each([
    ["*", ["anything.example:1", "10.0.0.1:2"], []],
    [
      "example.com",
      ["example.com:443", "API.Example.com:443", "example.com.:1"],
      ["badexample.com:443", "com:1"],
    ],
    [".example.com", ["api.example.com:1", "example.com:1"], ["example.org:1"]],
    ["*.example.com", ["api.example.com:1"], ["example.org:1"]],
    ["db:5432, cache", ["db:5432", "cache:6379", "cache:1"], ["db:5433"]],
    ["10.0.0.5", ["10.0.0.5:1"], ["10.0.0.50:1", "10.0.0.5.example:1"]],
    ["10.0.0.0/8 192.168.0.0/16", ["10.9.9.9:1", "192.168.3.4:1"], ["11.0.0.1:1", "ten.example:1"]],
    ["fd00::/8", ["[fd12::1]:1"], ["[fe12::1]:1", "10.0.0.1:1"]],
    ["[2001:db8::1]:443", ["[2001:db8::1]:443", "[2001:db8:0:0::1]:443"], ["[2001:db8::1]:80"]],
    ["2001:db8::1", ["[2001:db8::1]:80"], ["[2001:db8::2]:80"]],
    ["10.0.0.0/8", ["[::ffff:10.1.2.3]:1"], []],
    ["", [], ["example.com:1"]],
  ])("%j", (written, direct, through) => {
    const rule = readNoProxy(written);
    const ask = (place: string): boolean | undefined => {
      const { hostname, port } = new URL(`x://${place}`);
      return rule?.(hostname, Number(port));
    };
    expect(direct.filter((place) => ask(place) !== true)).toEqual([]);
    expect(through.filter((place) => ask(place) !== false)).toEqual([]);
  });

  it.each(["10.0.0.0/99", "example.com/8", "a b/c", "ex$ample", "[::1", "10.0.0.0/8/8"])(
    "refuses %j",
    (written) => {
      expect(readNoProxy(written)).toBeNull();
    },
  );
});

describe("LOCKSTEP_PROXY", () => {
  afterEach(() => void chooseWayOut(DIRECT));

  it.each([
    [{ LOCKSTEP_PROXY: "http://proxy.example:3128" }, { isTls: false, host: "proxy.example", port: 3_128 }],
    [{ LOCKSTEP_PROXY: "proxy.example:3128" }, { host: "proxy.example", port: 3_128 }],
    [{ LOCKSTEP_PROXY: "https://proxy.example" }, { isTls: true, port: 443 }],
    [
      { LOCKSTEP_PROXY: "http://me:p%40ss@[::1]:1/" },
      { host: "::1", authorization: `Basic ${btoa("me:p@ss")}` },
    ],
    [
      { LOCKSTEP_PROXY: "from-environment", HTTPS_PROXY: "http://a:1", ALL_PROXY: "http://b:1" },
      { host: "a" },
    ],
    [
      { LOCKSTEP_PROXY: "from-environment", all_proxy: "http://b:1", HTTP_PROXY: "http://c:1" },
      { host: "b" },
    ],
    [{ LOCKSTEP_PROXY: "from-environment", HTTP_PROXY: "http://c:1" }, null],
    [{ LOCKSTEP_PROXY: "off", HTTPS_PROXY: "http://a:1" }, null],
    [{ HTTPS_PROXY: "http://a:1" }, null],
    [{}, null],
  ])("%j", (env, expected) => {
    const { proxy, ignored } = readWayOut(env);
    if (expected === null) expect(proxy).toBeNull();
    else expect(proxy).toMatchObject(expected);
    expect(ignored).toBe("LOCKSTEP_PROXY" in env || !("HTTPS_PROXY" in env) ? null : "HTTPS_PROXY");
  });

  it.each([
    [{ LOCKSTEP_PROXY: "socks5://canary:canary@proxy:1080" }, /SOCKS/],
    [{ LOCKSTEP_PROXY: "http://proxy/canary" }, /path/],
    [{ LOCKSTEP_PROXY: "canary" }, /right kind/],
    [{ LOCKSTEP_PROXY: "http://me:can%ary%20@proxy" }, /a part is not/],
    [{ LOCKSTEP_PROXY: "from-environment", HTTPS_PROXY: "ftp://canary" }, /HTTPS_PROXY/],
    [{ LOCKSTEP_PROXY: "http://proxy", NO_PROXY: "10.0.0.0/canary" }, /NO_PROXY/],
  ])("refuses %j, and repeats nothing of it", (env, state) => {
    const refused = (() => {
      try {
        return readWayOut(env) && null;
      } catch (error) {
        return error as Error & { hint: string };
      }
    })();
    expect(refused).toMatchObject({ code: "SETTING_INVALID", message: expect.stringMatching(state) });
    expect(`${refused?.message}${refused?.hint}`).not.toMatch(/can%?ary/);
  });

  it("loopback is direct, whatever is set", () => {
    chooseWayOut(readWayOut({ LOCKSTEP_PROXY: "http://me:secret@proxy:3128", NO_PROXY: "direct.example" }));
    expect(proxyCredential()).toBe("me:secret");
    expect(proxyFor("outside.example", 443)).not.toBeNull();
    expect(proxyFor("direct.example", 443)).toBeNull();
    const loopback = fc.oneof(
      fc.constantFrom("localhost", "[::1]", "::1", "[::ffff:127.0.0.1]"),
      fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `127.${parts.join(".")}`),
    );
    fc.assert(fc.property(loopback, fc.nat(65_535), (host, port) => proxyFor(host, port) === null));
  });
});

describe("through a proxy", () => {
  let server: Server;
  let proxy: ConnectProxy;
  const heard: {
    readonly url: string | undefined;
    readonly body: string;
    readonly auth: string | undefined;
  }[] = [];

  beforeAll(async () => {
    server = createServer(
      { cert: TLS.certificatePem, key: TLS.privateKeyPem },
      (request: IncomingMessage, response) => {
        text(request).then((body) => {
          heard.push({ url: request.url, body, auth: request.headers["proxy-authorization"] });
          response.setHeader("content-type", "application/json");
          response.end("{}");
        });
      },
    ).listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await startConnectProxy((server.address() as AddressInfo).port);
  });
  beforeEach(() => {
    chooseWayOut(readWayOut({ LOCKSTEP_PROXY: `http://me:${CANARY}@127.0.0.1:${proxy.port}` }));
  });
  afterEach(() => {
    chooseWayOut(DIRECT);
    proxy.answer(200);
    proxy.asked.length = 0;
    heard.length = 0;
  });
  afterAll(() => {
    proxy.stop();
    server.close();
  });

  const dial = (own: string = "nowhere.example") =>
    createDial({
      ownListeners: () => [{ host: own, port: 443 }],
      resolve: async () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" })),
    });
  const post = (url: string, connect = dial(), ca: string | null = TLS.certificatePem) =>
    postMessage(
      connect,
      "the webhook",
      { url, headers: { "x-secret": CANARY }, body: CANARY, caCertificate: ca ?? undefined, replace: "" },
      signal(),
    );

  it("a request arrives whole, and the proxy sees neither it nor the answer", async () => {
    await post("https://outside.example/hook");
    expect(heard).toEqual([{ url: "/hook", body: CANARY, auth: undefined }]);
    expect(proxy.asked).toEqual([
      { authority: "outside.example:443", authorization: `Basic ${btoa(`me:${CANARY}`)}` },
    ]);
    expect(proxy.passed().includes(CANARY)).toBe(false);
  });

  it.each([
    [407, /another user and password/],
    [403, /does not let us through/],
    [502, /did not reach it/],
    [418, /the proxy answered 418/],
  ])("%i of the proxy is told as the proxy's", async (status, why) => {
    proxy.answer(status);
    await expect(post("https://outside.example/hook")).rejects.toMatchObject({
      code: "CHANNEL_UNAVAILABLE",
      message: expect.stringMatching(why),
    });
    expect(heard).toEqual([]);
  });

  it("a proxy that is away, and one that is none, are told as that", async () => {
    chooseWayOut(readWayOut({ LOCKSTEP_PROXY: "http://127.0.0.1:1" }));
    await expect(post("https://outside.example/")).rejects.toThrow(
      /the proxy was not reached: no connection: refused/,
    );
    const { port } = server.address() as AddressInfo;
    chooseWayOut(readWayOut({ LOCKSTEP_PROXY: `http://127.0.0.1:${port}` }));
    await expect(post("https://outside.example/")).rejects.toThrow(/proxy/);
  });

  it("a certificate that nobody knows: the proxy may open TLS, and what to do about it is said", async () => {
    await expect(post("https://outside.example/", dial(), null)).rejects.toThrow(/NODE_EXTRA_CA_CERTS/);
    await expect(post("https://elsewhere.example/")).rejects.toThrow(/another name/);
    const asked = overUrl("https://outside.example").send({
      method: "GET",
      path: "/",
      headers: {},
      body: null,
      signal: signal(),
    });
    await expect(asked).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringMatching(/self-signed.*NODE_EXTRA_CA_CERTS/),
    });
    expect(heard).toEqual([]);
  });

  it("ruling 22: addresses, our own listeners and metadata services are refused before the proxy is asked", async () => {
    for (const host of [
      "169.254.169.254",
      "[fe80::1]",
      "0.0.0.0",
      "metadata.google.internal",
      "a.localhost",
      "localhost.",
    ])
      await expect(post(`https://${host}/`), host).rejects.toThrow(/not asked/);
    await expect(post("https://own.example/", dial("own.example"))).rejects.toThrow(/Lockstep itself/);
    expect(proxy.asked).toEqual([]);
  });

  it("an agent reaches its server, and trusts the pinned key alone", async () => {
    const key = new X509Certificate(TLS.certificatePem).publicKey.export({ type: "spki", format: "der" });
    const request = {
      method: "GET",
      path: "/agent/v1/x",
      headers: {},
      body: null,
      timeoutMs: 10_000,
      signal: signal(),
    } as const;
    const pin = createHash("sha256").update(key).digest("base64url");
    const answer = await createTransport({ url: "https://agents.example:7421", tlsKeyDigest: pin }).send(
      request,
    );
    expect(answer.status).toBe(200);
    expect(await text(answer.stream)).toBe("{}");
    expect(proxy.asked.map(({ authority }) => authority)).toEqual(["agents.example:7421"]);
    const other = createTransport({ url: "https://agents.example:7421", tlsKeyDigest: "other" });
    await expect(other.send(request)).rejects.toMatchObject({ code: "TARGET_HOST_KEY" });
    proxy.answer(403);
    await expect(other.send(request)).rejects.toThrow(/does not let us through/);
  });

  it("what Railway and the command line ask goes through, and NODE_EXTRA_CA_CERTS is heeded", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lockstep-proxy-"));
    const file = join(directory, "ca.pem");
    writeFileSync(file, TLS.certificatePem);
    const env = {
      NODE_EXTRA_CA_CERTS: file,
      LOCKSTEP_PROXY: "from-environment",
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    };
    const program = await childProgram(join(import.meta.dirname, "../support/fetch-once.ts"));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [program, "https://outside.example/graphql"],
      { env },
    );
    rmSync(directory, { recursive: true });
    expect(stdout).toBe("200 {}");
    expect(heard).toEqual([{ url: "/graphql", body: "{}", auth: undefined }]);
    expect(proxy.asked).toEqual([{ authority: "outside.example:443", authorization: undefined }]);
  });
});

describe("a variable that is not heeded", () => {
  beforeEach(() => void chooseWayOut(readWayOut({ HTTPS_PROXY: `http://me:${CANARY}@127.0.0.1:1` })));
  afterEach(() => void chooseWayOut(DIRECT));
  const post = (resolve: () => Promise<readonly string[]>, limit = signal()) =>
    postMessage(
      createDial({ ownListeners: () => [], resolve }),
      "the webhook",
      { url: "https://outside.example/", headers: {}, body: "", replace: "" },
      limit,
    );
  const word = /HTTPS_PROXY is set and ignored: if the way out is through a proxy, set LOCKSTEP_PROXY/;

  it("is named where no connection comes about, and nothing of it is told", async () => {
    const failed = Object.assign(new Error(), { code: "ENOTFOUND" });
    await expect(post(() => Promise.reject(failed))).rejects.toThrow(word);
    await expect(post(() => Promise.reject(failed))).rejects.not.toThrow(CANARY);
    await expect(post(() => new Promise(() => undefined), AbortSignal.timeout(50))).rejects.toThrow(word);
    expect(unreachable(overUrl("https://outside.example")).message).toMatch(word);
    const agent = createTransport({ url: "https://agents.invalid:7421", tlsKeyDigest: null });
    const request = {
      method: "GET",
      path: "/",
      headers: {},
      body: null,
      timeoutMs: 10_000,
      signal: signal(),
    } as const;
    await expect(agent.send(request)).rejects.toThrow(word);
  });

  it("is not named of this machine, nor of what answered", () => {
    expect(unreachable(overUrl("http://127.0.0.1:1")).message).not.toMatch(/PROXY/);
  });
});
