/**
 * The one constructor of every SSH connection, jump hosts included. It always verifies the host against the pinned
 * whole key (ssh2 accepts any key when no verifier is set), offers only the pin's signature algorithms, logs in with
 * one key and nothing else (no agent, no password, no `none`), and never forwards an agent.
 *
 * Throws TARGET_UNREACHABLE, TARGET_HOST_KEY, TARGET_CREDENTIAL_REJECTED or UNSUPPORTED.
 */
import type { Duplex, Readable } from "node:stream";
import ssh2, { type ConnectConfig } from "ssh2";
import { algorithmsFor } from "./algorithms.ts";
import { SshConnection } from "./connection.ts";
import { labelOf, type SshHop } from "./destination.ts";
import { connectError, type HandshakeState, unreachable } from "./errors.ts";
import { fingerprintOfBlob } from "./host-key.ts";

/** From the first packet to the finished login. A busy host needs seconds for a burst of logins. */
const READY_TIMEOUT_MS = 20_000;
/** A dead line is noticed after about three times this. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_MISSES = 3;

export interface ConnectOptions {
  /** A line through a jump host; without it a TCP connection is made. */
  readonly through?: Duplex;
  readonly signal: AbortSignal;
  readonly readyTimeoutMs?: number;
}

export async function connect(hop: SshHop, options: ConnectOptions): Promise<SshConnection> {
  const { signal } = options;
  if (signal.aborted) throw unreachable(labelOf(hop), "it was given up before the first packet");
  const client = new ssh2.Client();
  const state: HandshakeState = { connected: false, verified: false, shown: null };
  const pinned = Buffer.from(hop.hostKey.key, "base64");
  let offered = false;

  const config: ConnectConfig = {
    host: hop.host,
    port: hop.port,
    username: hop.user,
    algorithms: algorithmsFor([hop.hostKey.type]),
    // Public keys on both sides: nothing to compare in constant time.
    hostVerifier: (key: Buffer) => {
      if (key.equals(pinned)) return true;
      state.shown = { fingerprint: fingerprintOfBlob(key) };
      return false;
    },
    authHandler: (_methods, _partial, next) => {
      if (offered) return next(false as unknown as "none");
      offered = true;
      next({ type: "publickey", username: hop.user, key: hop.key.parsed });
    },
    agentForward: false,
    keepaliveInterval: KEEPALIVE_INTERVAL_MS,
    keepaliveCountMax: KEEPALIVE_MISSES,
    readyTimeout: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
    ...(options.through === undefined ? {} : { sock: options.through as Readable }),
  };

  return await new Promise<SshConnection>((resolve, reject) => {
    const onAbort = () => fail(unreachable(labelOf(hop), "it was given up during the login"));
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", onAbort);
      client.destroy();
      options.through?.destroy();
      reject(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    client.on("connect", () => {
      state.connected = true;
      // Nagle's algorithm costs 40 ms per small exchange (44 ms → 2.3 ms measured).
      client.setNoDelay(true);
    });
    client.on("handshake", () => {
      state.verified = true;
    });
    // Stays for good: an error without a listener would end the process.
    client.on("error", (error: unknown) => fail(connectError(hop, error, state)));
    client.on("close", () => fail(connectError(hop, null, state)));
    client.once("ready", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(new SshConnection(client, labelOf(hop)));
    });
    client.connect(config);
  });
}
