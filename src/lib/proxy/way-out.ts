/**
 * The proxy that this process was told to use for what it asks outside, or a variable that names one and was not told to
 * be used. Set once, when the process starts; loopback is always reached directly.
 *
 * Through a proxy a name is looked up there: what addresses it leads to, nobody here can judge. What is written as an
 * address is judged as ever (`adapters/outgoing/dial.ts`).
 */
import { isLoopbackHost } from "../addresses.ts";
import type { NoProxyRule } from "./no-proxy.ts";

export interface HttpProxy {
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** `Basic …`; null: it asks for none. Never shown. */
  readonly authorization: string | null;
}

export interface WayOut {
  readonly proxy: HttpProxy | null;
  readonly isDirect: NoProxyRule;
  /** The name of a variable that names a proxy, and is not heeded. */
  readonly ignored: string | null;
}

export const DIRECT: WayOut = { proxy: null, isDirect: () => true, ignored: null };

let chosen: WayOut = DIRECT;

/** Answers what was chosen before. */
export function chooseWayOut(wayOut: WayOut): WayOut {
  const before = chosen;
  chosen = wayOut;
  return before;
}

/** `user:password` of the proxy, for what hides credentials; null: there are none. */
export function proxyCredential(): string | null {
  const written = chosen.proxy?.authorization?.replace(/^Basic /, "");
  return written === undefined ? null : Buffer.from(written, "base64").toString("utf8");
}

/** Null: directly. */
export function proxyFor(host: string, port: number): HttpProxy | null {
  return isLoopbackHost(host) || chosen.isDirect(host, port) ? null : chosen.proxy;
}

/** For the end of a text that says why no connection came about: empty, or begins with a semicolon. */
export function ignoredProxyText(host: string): string {
  if (chosen.ignored === null || isLoopbackHost(host)) return "";
  return `; ${chosen.ignored} is set and ignored: if the way out is through a proxy, set LOCKSTEP_PROXY`;
}
