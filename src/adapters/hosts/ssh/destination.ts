/** Where a connection goes, and with what it logs in. */
import type { HostKey } from "./host-key.ts";
import type { LoginKey } from "./login-key.ts";

export interface SshHop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: HostKey;
  readonly key: LoginKey;
}

export interface SshDestination extends SshHop {
  /** A host to go through; the line inside is encrypted end to end, and both hosts are verified. */
  readonly jump?: SshHop;
}

/** For messages: `deploy@vps.example.com:22`. */
export function labelOf(hop: Pick<SshHop, "host" | "port" | "user">): string {
  const host = hop.host.includes(":") ? `[${hop.host}]` : hop.host;
  return `${hop.user}@${host}:${hop.port}`;
}

/** Equal only where a kept connection may be shared: same way, same pins, same keys. */
export function identityOf(destination: SshDestination): string {
  const hops = destination.jump === undefined ? [destination] : [destination.jump, destination];
  return hops
    .map((hop) => `${labelOf(hop)} ${hop.hostKey.type} ${hop.hostKey.key} ${hop.key.fingerprint}`)
    .join(" > ");
}
