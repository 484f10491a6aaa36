/**
 * The way to a service from this machine. A name is looked up once and the connection goes to the very addresses that
 * were judged: a second look-up could answer differently (DNS rebinding). Loopback is reached only where the URL says
 * loopback; link-local and metadata addresses, and our own listeners, never. Where a proxy is set (`lib/proxy`) names are
 * its to look up, and only what is written as an address is judged here.
 */
import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { bareHost, isLoopbackAddress, isLoopbackHost, isUnreachableAddress } from "../../lib/addresses.ts";
import { openTunnel } from "../../lib/proxy/tunnel.ts";
import { proxyFor } from "../../lib/proxy/way-out.ts";
import { isOwnListener, type Listener } from "./own-listeners.ts";
import { NoAnswer } from "./reasons.ts";

/** A line to a host as its URL names it. Throws NoAnswer, or a system's error with a code. Ends with the signal. */
export type Connect = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

export interface DialOptions {
  /** Where this process listens: asking ourselves would go around our own guards. */
  readonly ownListeners: () => readonly Listener[];
  /** All addresses of a name. Default: the system's. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

export function createDial({ ownListeners, resolve = resolveName }: DialOptions): Connect {
  return async (host, port, signal) => {
    const name = bareHost(host);
    const proxy = proxyFor(host, port);
    if (proxy !== null) {
      const wrong = refusalBehindProxy({ host, address: name, port }, ownListeners());
      if (wrong !== null) throw new NoAnswer(`not asked: ${wrong}`);
      return await openTunnel(proxy, host, port, signal);
    }
    const addresses = isIP(name) === 0 ? await unlessAborted(resolve(name), signal) : [name];
    if (addresses.length === 0) throw new NoAnswer("no connection: the name is not known");
    for (const address of addresses) {
      const wrong = refusal({ host, address, port }, ownListeners());
      if (wrong !== null) throw new NoAnswer(`not asked: ${wrong}`);
    }
    return await open(addresses, port, signal);
  };
}

/** Names that lead to the metadata of a cloud's machine; behind a proxy it would be the proxy's. */
const METADATA_NAMES =
  /^(?:metadata|instance-data|metadata\.google\.internal|metadata\.azure\.com|.*\.ec2\.internal)\.?$/i;

/** What a name leads to is known to the proxy alone, and is its owner's to forbid. */
function refusalBehindProxy(
  asked: { readonly host: string; readonly address: string; readonly port: number },
  listeners: readonly Listener[],
): string | null {
  if (isIP(asked.address) !== 0) return refusal(asked, listeners);
  // The proxy's own machine, and not ours.
  if (/(?:^|\.)localhost\.?$/i.test(asked.address)) return "the name leads to loopback";
  if (METADATA_NAMES.test(asked.address)) return "the name is a metadata service's";
  return isOwnListener(asked, listeners) ? "Lockstep itself listens there" : null;
}

function refusal(
  asked: { readonly host: string; readonly address: string; readonly port: number },
  listeners: readonly Listener[],
): string | null {
  const { host, address } = asked;
  const mayBeLoopback = isLoopbackHost(host);
  if (isIP(address) === 0 || isUnreachableAddress(address))
    return "the address is link-local, a metadata service, or no single host's";
  const isLoopback = isLoopbackAddress(address);
  if (isLoopback !== mayBeLoopback)
    return isLoopback ? "the name leads to loopback" : "the name of loopback leads elsewhere";
  return isOwnListener(asked, listeners) ? "Lockstep itself listens there" : null;
}

async function resolveName(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

async function open(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Duplex> {
  const answers = addresses.map((address) => ({ address, family: isIP(address) }));
  return await new Promise((resolve, reject) => {
    const socket = connect({
      // Never looked up: the answer is given below.
      host: "probe.invalid",
      port,
      autoSelectFamily: true,
      lookup: (_name, _options, done) => done(null, answers),
    });
    const settle = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners();
      act();
    };
    const fail = (error: Error) =>
      settle(() => {
        socket.on("error", () => undefined).destroy();
        reject(error);
      });
    const onAbort = () => fail(new NoAnswer("given up"));
    socket.once("error", fail);
    socket.once("connect", () => settle(() => resolve(socket)));
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(new NoAnswer("given up"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
