/** Ruling 22: nobody is made to ask our own listeners, whatever they are called. A real listener counts who comes. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createDial } from "../../src/adapters/outgoing/dial.ts";
import { claimedListeners, claimListener } from "../../src/adapters/outgoing/own-listeners.ts";
import { isSafeEndpoint } from "../../src/adapters/targets/railway/config.ts";

let server: Server;
let port: number;
let came = 0;

beforeAll(async () => {
  server = createServer((socket) => {
    came += 1;
    socket.destroy();
  }).listen(0, "0.0.0.0");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());
beforeEach(() => {
  came = 0;
});

const outer = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .filter(({ internal, family }) => !internal && family === "IPv4")
  .map(({ address }) => address);

/** As a URL's parser leaves it: decimal, octal and hexadecimal spellings become the address that they mean. */
const dial = (host: string, own: string, leadsTo: readonly string[] = []) =>
  createDial({ ownListeners: () => [{ host: own, port }], resolve: async () => leadsTo })(
    new URL(`http://${host}:${port}/`).hostname,
    port,
    AbortSignal.timeout(5_000),
  );

describe("ruling 22: our own listeners", () => {
  it.each(["127.0.0.1", "0.0.0.0", "::", "localhost", "this-machine.example"])(
    "are not asked where they listen on %s, in any spelling",
    async (own) => {
      for (const host of [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
      ])
        await expect(dial(host, own), host).rejects.toThrow("not asked");
      await expect(dial("localhost", own, ["127.0.0.1"])).rejects.toThrow("not asked");
      await expect(dial("innocent.example", own, ["127.0.0.1"])).rejects.toThrow("not asked");
      await expect(dial("innocent.example", own, ["192.0.2.1", "::1"])).rejects.toThrow("not asked");
      expect(came).toBe(0);
    },
  );

  it("nor by another address of this machine, or a name that leads to one", async () => {
    for (const address of outer) {
      await expect(dial(address, "0.0.0.0")).rejects.toThrow("Lockstep itself");
      await expect(dial(`[::ffff:${address}]`, "::")).rejects.toThrow("Lockstep itself");
      await expect(dial("innocent.example", "0.0.0.0", [address])).rejects.toThrow("Lockstep itself");
    }
    // A store or queue on another machine, by the name that the settings give it.
    await expect(dial("store.example", "store.example", ["192.0.2.7"])).rejects.toThrow("Lockstep itself");
    expect(came).toBe(0);
  });

  it("others on loopback are asked: the guard is about us", async () => {
    const connect = createDial({
      ownListeners: () => [{ host: "127.0.0.1", port: port === 1 ? 2 : port - 1 }],
    });
    const line = await connect("127.0.0.1", port, AbortSignal.timeout(5_000));
    await once(
      line.on("error", () => undefined),
      "close",
    );
    expect(came).toBe(1);
  });

  it("are claimed with the port that the system chose, and given back", () => {
    const listener = { host: "127.0.0.1", port };
    const release = claimListener(listener);
    expect(claimedListeners()).toContain(listener);
    release();
    expect(claimedListeners()).not.toContain(listener);
  });

  it.each([
    "https://169.254.169.254/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "http://192.0.2.1/",
  ])("no Railway token goes to %s", (endpoint) => expect(isSafeEndpoint(endpoint)).toBe(false));
});
