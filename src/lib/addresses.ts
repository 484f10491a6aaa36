/** What an address of the network is for: loopback, or one that no request of ours may go to. Pure. */
import { BlockList, isIP, isIPv6 } from "node:net";

const LOOPBACK = listOf(["127.0.0.0/8", "::1/128"]);

/**
 * Link-local, the clouds' metadata services, unspecified, multicast, broadcast, and tunnels that could hide one of
 * them. Private networks are no part: services are asked there.
 */
const UNREACHABLE = listOf([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "100.100.100.200/32", // Alibaba's metadata
  "168.63.129.16/32", // Azure's
  "192.0.0.192/32", // Oracle's
  "fd00:ec2::254/128", // Amazon's
  "fd20:ce::254/128", // Google's
  "::/128",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
  "2002::/16",
  "2001::/32",
]);

/** A host as it stands in a URL, brackets included: literally loopback, without asking anybody. */
export function isLoopbackHost(hostname: string): boolean {
  const host = bareHost(hostname);
  return host === "localhost" || isLoopbackAddress(host);
}

/** `[::1]` → `::1`. */
export function bareHost(hostname: string): string {
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
}

/** Also in their IPv6 clothes (`::ffff:127.0.0.1`). */
export function isLoopbackAddress(address: string): boolean {
  return isIn(LOOPBACK, address);
}

/** The IPv4 address that an IPv6 one only dresses up; any other as it is. For comparing addresses as text. */
export function plainAddress(address: string): string {
  return embeddedIpv4(address) ?? address;
}

export function isUnreachableAddress(address: string): boolean {
  return isIn(UNREACHABLE, address);
}

function isIn(list: BlockList, address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  const family = isIP(plain);
  if (family === 0) return false;
  if (list.check(plain, family === 6 ? "ipv6" : "ipv4")) return true;
  const inner = family === 6 ? embeddedIpv4(plain) : null;
  return inner !== null && list.check(inner, "ipv4");
}

/** In `::ffff:0:0/96`, `::/96` and `64:ff9b::/96` the last 32 bits are where a packet ends up. */
function embeddedIpv4(address: string): string | null {
  if (!isIPv6(address)) return null;
  const whole = bareHost(new URL(`http://[${address}]`).hostname);
  const tail = /^(?:::ffff:|::|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(whole);
  if (tail === null) return null;
  const [high, low] = [Number.parseInt(tail[1] ?? "", 16), Number.parseInt(tail[2] ?? "", 16)];
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

function listOf(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = "", bits] = subnet.split("/");
    list.addSubnet(net, Number(bits), isIPv6(net) ? "ipv6" : "ipv4");
  }
  return list;
}
