/**
 * Who connected to us, for limits per source: the other end of the line, or, where that is a proxy that the operator
 * named, what it says. A header is only believed as far back as named proxies wrote it; whoever stands before the last
 * of them may have written the rest.
 */
import { BlockList, isIP } from "node:net";
import { plainAddress } from "../../lib/addresses.ts";

export interface ForwardedHeaders {
  readonly forwarded?: string | undefined;
  readonly "x-forwarded-for"?: string | string[] | undefined;
}

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** Addresses and networks, as `networks` in config reads them. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [net = "", bits] = network.split("/");
      const family = isIP(net) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#list.addAddress(net, family);
      else this.#list.addSubnet(net, Number(bits), family);
    }
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  has(address: string): boolean {
    const plain = plainAddress(address.replace(/%.*$/, ""));
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 6 ? "ipv6" : "ipv4");
  }

  /** The last one of the way that is no named proxy. */
  sourceOf(connected: string, headers: ForwardedHeaders): string {
    if (!this.has(connected)) return plainAddress(connected);
    const told = waysOf(headers).map((way) => this.#lastOf(connected, way));
    // A proxy writes one of the two headers and may pass the other one on as it came: then neither tells.
    const [first = connected] = told;
    return plainAddress(told.every((one) => one === first) ? first : connected);
  }

  #lastOf(connected: string, told: readonly string[]): string {
    const way = [...told];
    let source = connected;
    while (this.has(source)) {
      const before = way.pop();
      // Nothing more is said, or nothing that is an address: whoever said so is as far as we know.
      if (before === undefined || isIP(before) === 0) return source;
      source = plainAddress(before);
    }
    return source;
  }
}

/** One per header, oldest first. */
function waysOf({ forwarded, "x-forwarded-for": said }: ForwardedHeaders): readonly (readonly string[])[] {
  const ways: string[][] = [];
  if (said !== undefined) ways.push([said].flat().join(",").split(",").map(bareAddress));
  if (forwarded !== undefined)
    ways.push(
      forwarded
        .split(",")
        .map((hop) => bareAddress(/(?:^|;)\s*for=\s*("[^"]*"|[^;\s]+)/i.exec(hop)?.[1] ?? "")),
    );
  return ways;
}

/** `"[::1]:4711"` → `::1`, `192.0.2.1:80` → `192.0.2.1`. */
function bareAddress(text: string): string {
  const plain = text.trim().replace(/^"|"$/g, "");
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(plain) ?? [];
  return bracketed ?? plain.replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1");
}
