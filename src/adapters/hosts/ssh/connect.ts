/**
 * The one constructor of every SSH connection, jump hosts included. It always verifies the host (ssh2 accepts any key
 * when no verifier is set): `connect` against the pinned whole key, offering only the pin's signature algorithms;
 * `fetchHostKey` by refusing every key after a look at it, so that nothing is ever sent to an unpinned host. Logs in
 * with one key and nothing else (no agent, no password, no `none`), and never forwards an agent.
 */
import { connect as connectTcp } from "node:net";
import type { Duplex, Readable } from "node:stream";
import ssh2, { type Client, type ConnectConfig, type ParsedKey } from "ssh2";
import { algorithmsFor } from "./algorithms.ts";
import { SshConnection } from "./connection.ts";
import { labelOf, type SshHop } from "./destination.ts";
import { connectError, fetchError, type HandshakeState, unreachable } from "./errors.ts";
import { fingerprintOfBlob, HOST_KEY_TYPES, type HostKey, hostKeyOfBlob } from "./host-key.ts";
import type { LoginState } from "./login-errors.ts";

/** From the first packet to the finished login. A busy host needs seconds for a burst of logins. */
const READY_TIMEOUT_MS = 20_000;
/** A dead line is noticed after about three times this. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_MISSES = 3;
const MAX_GREETING = 512;

export interface ConnectOptions {
  /** A line through a jump host; without it a TCP connection is made. */
  readonly through?: Duplex;
  readonly signal: AbortSignal;
}

/** Throws TARGET_UNREACHABLE, TARGET_HOST_KEY, TARGET_CREDENTIAL_REJECTED or UNSUPPORTED. */
export async function connect(hop: SshHop, options: ConnectOptions): Promise<SshConnection> {
  const pinned = Buffer.from(hop.hostKey.key, "base64");
  const login: LoginState = { offered: false, signed: false, partial: false, methods: [] };
  const key = tellingKey(hop.key.parsed, login);
  const client = await handshake(hop, options, {
    algorithms: algorithmsFor([hop.hostKey.type]),
    username: hop.user,
    // Public keys on both sides: nothing to compare in constant time.
    accepts: (key) => key.equals(pinned),
    authHandler: (methods, partial, next) => {
      login.methods = methods ?? [];
      login.partial ||= partial === true;
      if (login.offered) return next(false as unknown as "none");
      login.offered = true;
      next({ type: "publickey", username: hop.user, key });
    },
    translate: (error, state) => connectError(hop, error, state, login),
  });
  return new SshConnection(client, labelOf(hop));
}

/**
 * The key that a host shows, for a person to compare: without logging in, and without naming a user. Ed25519 is asked
 * for first. Throws TARGET_UNREACHABLE, TARGET_PROTOCOL or UNSUPPORTED.
 */
export async function fetchHostKey(
  address: { readonly host: string; readonly port: number },
  options: ConnectOptions,
): Promise<HostKey> {
  let shown: HostKey | null = null;
  try {
    await handshake({ ...address, user: "" }, options, {
      algorithms: algorithmsFor(HOST_KEY_TYPES),
      username: "",
      accepts: (key) => {
        shown = hostKeyOfBlob(key);
        return false;
      },
      authHandler: (_methods, _partial, next) => next(false as unknown as "none"),
      translate: (error, state) => fetchError(address, error, state),
    });
  } catch (error) {
    if (shown === null) throw error;
  }
  if (shown === null)
    throw fetchError(address, null, {
      ...{ connected: true, verified: true, shown: null, greeting: "" },
    });
  return shown;
}

/**
 * A server asks for a signature only after it has found the key in the user's list. That is the one sign that an RSA key
 * was accepted as a first of several factors: the library tries it once more, and then no answer says "partial" any more.
 */
function tellingKey(key: ParsedKey, login: LoginState): ParsedKey {
  const sign: ParsedKey["sign"] = (data, algorithm) => {
    login.signed = true;
    return key.sign(data, algorithm);
  };
  return Object.create(key, { sign: { value: sign } }) as ParsedKey;
}

interface Handshake extends Required<Pick<ConnectConfig, "algorithms" | "username" | "authHandler">> {
  readonly accepts: (key: Buffer) => boolean;
  readonly translate: (error: unknown, state: HandshakeState) => unknown;
}

async function handshake(
  address: Pick<SshHop, "host" | "port" | "user">,
  { signal, through }: ConnectOptions,
  { accepts, translate, ...settings }: Handshake,
): Promise<Client> {
  if (signal.aborted) throw unreachable(labelOf(address), "it was given up before the first packet");
  const client = new ssh2.Client();
  const line = through ?? connectTcp({ host: address.host, port: address.port });
  const state: HandshakeState = { connected: false, verified: false, shown: null, greeting: "" };
  hearGreeting(line, state);

  return await new Promise<Client>((resolve, reject) => {
    const onAbort = () => fail(unreachable(labelOf(address), "it was given up during the login"));
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", onAbort);
      client.destroy();
      line.destroy();
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
    client.on("error", (error: unknown) => fail(translate(error, state)));
    client.on("close", () => fail(translate(null, state)));
    client.once("ready", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(client);
    });
    client.connect({
      ...settings,
      host: address.host,
      port: address.port,
      hostVerifier: (key: Buffer) => {
        if (accepts(key)) return true;
        state.shown = fingerprintOfBlob(key);
        return false;
      },
      agentForward: false,
      keepaliveInterval: KEEPALIVE_INTERVAL_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      readyTimeout: READY_TIMEOUT_MS,
      sock: line as Readable,
    });
  });
}

/**
 * What a server says before it says that it speaks SSH: why it drops the line, or that it is something else. The library
 * tells of it only if SSH follows. The first listener starts the flow, so that this one comes with the library's own.
 */
function hearGreeting(line: Duplex, state: HandshakeState): void {
  line.once("resume", () => {
    const hear = (chunk: Buffer) => {
      state.greeting += chunk.toString("latin1");
      const isOver = state.greeting.length > MAX_GREETING || /^SSH-/m.test(state.greeting);
      state.greeting = state.greeting.slice(0, MAX_GREETING);
      if (isOver) line.off("data", hear);
    };
    line.on("data", hear);
  });
}
