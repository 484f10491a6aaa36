/**
 * A host over SSH for machines without OpenSSH's server: ssh2's server in this process. It lets one key of one user
 * in and runs each command in /bin/sh, as sshd with that login shell would. Everything above the login is real: the
 * handshake, the pinned host key, the shell, the files. Left out: SFTP, terminals, forwarding.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { AddressInfo } from "node:net";
import ssh2, { type AuthContext, type Connection, type ParsedKey, type Session } from "ssh2";
import { parseSshKey } from "./keys.ts";

export interface StandInOptions {
  readonly hostKey: string;
  /** Public key of the one who may log in. */
  readonly clientKey: string;
  readonly user: string;
  /** What each session's shell starts with. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface RunningStandIn {
  readonly port: number;
  /** Ends every session. */
  stop(): Promise<void>;
}

export async function startStandIn(options: StandInOptions): Promise<RunningStandIn> {
  const clientKey = parseSshKey(options.clientKey);
  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();
  const server = new ssh2.Server({ hostKeys: [options.hostKey] }, (connection) => {
    connections.add(connection);
    connection.on("close", () => connections.delete(connection));
    // A client that goes away in the middle is no failure of the host.
    connection.on("error", () => undefined);
    connection.on("authentication", (attempt) => {
      if (mayEnter(attempt, options.user, clientKey)) attempt.accept();
      else attempt.reject(["publickey"]);
    });
    connection.on("session", (accept) => serve(accept(), options.environment, children));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.end();
      for (const child of children) endGroup(child);
      await closed;
    },
  };
}

function mayEnter(attempt: AuthContext, user: string, clientKey: ParsedKey): boolean {
  if (attempt.method !== "publickey" || attempt.username !== user) return false;
  // Public keys on both sides: nothing to compare in constant time.
  if (!attempt.key.data.equals(clientKey.getPublicSSH())) return false;
  // Without a signature the client only asks whether this key is worth signing with.
  if (attempt.signature === undefined || attempt.blob === undefined) return true;
  return clientKey.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true;
}

function serve(
  session: Session,
  environment: Readonly<Record<string, string>>,
  children: Set<ChildProcess>,
): void {
  let running: ChildProcess | null = null;
  session.on("exec", (accept, _reject, { command }) => {
    const channel = accept();
    const child = spawn("/bin/sh", ["-c", command], {
      cwd: environment["HOME"] ?? "/",
      env: { ...environment },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    running = child;
    children.add(child);
    for (const stream of [channel, child.stdin]) stream.on("error", () => undefined);
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    child.on("error", () => channel.close());
    child.on("close", (code, signal) => {
      children.delete(child);
      if (code === null) channel.exit((signal ?? "SIGKILL").replace("SIG", ""), false);
      else channel.exit(code);
      channel.end();
    });
  });
  session.on("signal", (accept) => {
    accept?.();
    if (running !== null) endGroup(running);
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}
