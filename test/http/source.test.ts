import { expect, test } from "vitest";
import { TrustedProxies } from "../../src/edges/http/source.ts";
import { trustedProxies } from "../../src/settings/agent-listener.ts";

const proxies = new TrustedProxies(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);

test("ruling 30: nobody but a named proxy is believed about where a request comes from", () => {
  expect(proxies.sourceOf("198.51.100.1", { "x-forwarded-for": "203.0.113.9" })).toBe("198.51.100.1");
  expect(new TrustedProxies([]).sourceOf("127.0.0.1", { "x-forwarded-for": "203.0.113.9" })).toBe(
    "127.0.0.1",
  );
  expect(proxies.sourceOf("10.1.2.3", { "x-forwarded-for": "203.0.113.9" })).toBe("203.0.113.9");
  expect(proxies.sourceOf("::ffff:10.1.2.3", { "x-forwarded-for": "203.0.113.9" })).toBe("203.0.113.9");
  expect(proxies.sourceOf("192.0.2.7", {})).toBe("192.0.2.7");
});

test("ruling 30: what a client wrote itself before the proxy is not its source", () => {
  const forged = { "x-forwarded-for": "1.1.1.1, 203.0.113.9, 10.0.0.2" };
  expect(proxies.sourceOf("10.0.0.1", forged)).toBe("203.0.113.9");
  expect(proxies.sourceOf("10.0.0.1", { "x-forwarded-for": ["1.1.1.1", "203.0.113.9"] })).toBe("203.0.113.9");
  // One of the two may be the client's own: then neither is believed.
  const both = { forwarded: "for=1.1.1.1", "x-forwarded-for": "203.0.113.9" };
  expect(proxies.sourceOf("10.0.0.1", both)).toBe("10.0.0.1");
  expect(proxies.sourceOf("10.0.0.1", { ...both, forwarded: "for=203.0.113.9" })).toBe("203.0.113.9");
  // Its own end counts where it says nothing that is an address.
  for (const nothing of ["unknown", "", "for=_hidden", "a\u0000b"])
    expect(proxies.sourceOf("10.0.0.1", { "x-forwarded-for": nothing })).toBe("10.0.0.1");
});

test("ruling 30: RFC 7239's header is read with its quotes, brackets and ports", () => {
  const source = (forwarded: string) => proxies.sourceOf("10.0.0.1", { forwarded });
  expect(source('for=1.1.1.1, for="[2001:db9::17]:4711";proto=https')).toBe("2001:db9::17");
  expect(source("proto=https;for=203.0.113.9:80;by=10.0.0.1")).toBe("203.0.113.9");
  expect(source('for=203.0.113.9, for="[2001:db8::1]"')).toBe("203.0.113.9");
});

test("ruling 30: proxies are named by address or network, and never as all of the world", () => {
  const read = (told: string | undefined, isBehindProxy = false) =>
    trustedProxies({ LOCKSTEP_TRUSTED_PROXIES: told }, isBehindProxy);
  expect(read(undefined)).toEqual([]);
  // Without TLS of its own the agents' listener has its proxy on this machine.
  expect(read(undefined, true)).toEqual(["127.0.0.0/8", "::1"]);
  expect(read("10.0.0.5, 10.1.0.0/16 2001:db8::/32", true)).toEqual([
    "10.0.0.5",
    "10.1.0.0/16",
    "2001:db8::/32",
  ]);
  for (const wrong of [
    "proxy.example.com",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/33",
    "10.0.0.0/8/8",
    "10.0.0.0/",
    "*",
  ])
    expect(() => read(wrong)).toThrow(/LOCKSTEP_TRUSTED_PROXIES/);
});
