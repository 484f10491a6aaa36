/** Where this process listens, and what it keeps its store and queue in: asking those would go around our own guards. */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { bareHost, isLoopbackAddress, isLoopbackHost, plainAddress } from "../../lib/addresses.ts";

export interface Listener {
  /** A name or an address, `0.0.0.0` and `::` included. */
  readonly host: string;
  readonly port: number;
}

const claimed: Listener[] = [];

/** Of this process, with the port that the system chose. Answers what takes it back. */
export function claimListener(listener: Listener): () => void {
  claimed.push(listener);
  return () => {
    const at = claimed.indexOf(listener);
    if (at >= 0) claimed.splice(at, 1);
  };
}

export function claimedListeners(): readonly Listener[] {
  return claimed;
}

/** `address`: what a name led to, or was written. `host`: as the URL names it. */
export function isOwnListener(
  { host, address, port }: { readonly host: string; readonly address: string; readonly port: number },
  listeners: readonly Listener[],
): boolean {
  return listeners.some(
    (listener) =>
      listener.port === port &&
      (bareHost(listener.host).toLowerCase() === bareHost(host).toLowerCase() ||
        isAt(listener.host, plainAddress(address))),
  );
}

function isAt(listening: string, address: string): boolean {
  const host = bareHost(listening);
  const isLocal = isLoopbackAddress(address) || ownAddresses().has(address);
  if (host === "0.0.0.0" || host === "::" || host === "") return isLocal;
  if (isLoopbackHost(host)) return isLoopbackAddress(address);
  // A name of this machine's: which of its addresses it means is not looked up, so that it means all of them.
  return isIP(host) === 0 ? isLocal : plainAddress(host) === address;
}

function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
  );
}
