/**
 * Which hosts are reached without the proxy, as NO_PROXY says it: entries divided by commas or spaces, each `*`, a name
 * (which means what stands under it too), an address or a network as 10.0.0.0/8; names and addresses with a port mean
 * that port alone. Names are compared as they are written: nothing is looked up. Pure.
 */
import { BlockList, isIP } from "node:net";
import { bareHost, plainAddress } from "../addresses.ts";

export type NoProxyRule = (host: string, port: number) => boolean;

/** Null: an entry is neither a name nor an address nor a network. */
export function readNoProxy(text: string): NoProxyRule | null {
  const rules = text
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map(ruleOf);
  if (rules.includes(null)) return null;
  return (host, port) => {
    const name = plainAddress(bareHost(host)).toLowerCase().replace(/\.$/, "");
    return rules.some((rule) => rule?.(name, port));
  };
}

function ruleOf(entry: string): NoProxyRule | null {
  if (entry === "*") return () => true;
  if (entry.includes("/")) return networkRule(entry);
  // Brackets are optional where no port follows.
  const [, inBrackets, plain = "", digits] = /^(?:\[([^\]]+)\]|([^[\]]*?))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const whole = isIP(entry) === 6 ? entry : undefined;
  const name = (whole ?? inBrackets ?? plain).toLowerCase();
  const port = whole === undefined && digits !== undefined ? Number(digits) : null;
  const isHere: NoProxyRule = (_host, asked) => port === null || asked === port;
  if (isIP(name) !== 0) return (host, asked) => isSame(host, name) && isHere(host, asked);
  const suffix = name.replace(/^\*?\./, "").replace(/\.$/, "");
  if (inBrackets !== undefined || !/^[\p{L}\p{N}_](?:[\p{L}\p{N}._-]*[\p{L}\p{N}_])?$/u.test(suffix))
    return null;
  return (host, asked) => (host === suffix || host.endsWith(`.${suffix}`)) && isHere(host, asked);
}

function isSame(host: string, address: string): boolean {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (isIP(host) !== isIP(address)) return false;
  const one = new BlockList();
  one.addAddress(address, family);
  return one.check(host, family);
}

function networkRule(entry: string): NoProxyRule | null {
  const [address = "", bits = "", ...rest] = entry.split("/");
  const version = isIP(address);
  const most = version === 6 ? 128 : 32;
  if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return null;
  const family = version === 6 ? "ipv6" : "ipv4";
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family);
  return (host) => isIP(host) === version && network.check(host, family);
}
