/**
 * The system's own OpenSSH server on a free loopback port: own host key, own configuration, one key of one user,
 * nothing of the system's /etc/ssh. It counts as running once that key has really logged in and run a command: an
 * account may be locked, or a container lack what sshd wants.
 */
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import ssh2 from "ssh2";
import { freePort } from "../free-port.ts";
import type { SshKeyPair } from "./keys.ts";

export interface OpenSshOptions {
  readonly program: string;
  /** A private directory for its configuration and keys. */
  readonly directory: string;
  /** HOME of the sessions. */
  readonly home: string;
  readonly hostKey: SshKeyPair;
  readonly clientKey: SshKeyPair;
  readonly user: string;
  readonly launch: (program: string, parameters: readonly string[]) => ChildProcess;
  readonly signal: AbortSignal;
}

export interface RunningOpenSsh {
  readonly port: number;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 5_000;
/** Where distributions and macOS keep it; it is rarely in an ordinary user's PATH. */
const USUAL_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/sbin"];

/** Absolute path, or null. sshd insists on being called by it. */
export function findOpenSsh(searchPath: string): string | null {
  const directories = [
    ...searchPath.split(delimiter).filter((path) => path.startsWith("/")),
    ...USUAL_DIRECTORIES,
  ];
  const isExecutable = (path: string): boolean => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return directories.map((directory) => join(directory, "sshd")).find(isExecutable) ?? null;
}

/** Null when it does not start here, or lets nobody in. */
export async function startOpenSsh(options: OpenSshOptions): Promise<RunningOpenSsh | null> {
  const { directory, launch, program, signal } = options;
  const port = await freePort();
  const config = join(directory, "sshd_config");
  writeFileSync(join(directory, "host_key"), options.hostKey.privateKey, { mode: 0o600 });
  writeFileSync(join(directory, "authorized_keys"), `${options.clientKey.publicKey}\n`, { mode: 0o600 });
  writeFileSync(config, configText(options, port), { mode: 0o600 });
  try {
    // As root it wants this directory of the system's. Other servers may use it meanwhile, so it stays.
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  } catch {
    return null;
  }
  const child = launch(program, ["-D", "-e", "-f", config]);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  if ((await isListening(child, deadline)) && (await letsIn(options, port, deadline))) {
    return { port, stop: () => end(child) };
  }
  await end(child);
  return null;
}

function configText({ directory, home }: OpenSshOptions, port: number): string {
  return `ListenAddress 127.0.0.1
Port ${port}
PidFile none
HostKey "${join(directory, "host_key")}"
AuthorizedKeysFile "${join(directory, "authorized_keys")}"
AuthenticationMethods publickey
PermitRootLogin prohibit-password
# The system's temporary directory, above ours, is writable by all.
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
SetEnv "HOME=${home}"
`;
}

async function isListening(child: ChildProcess, deadline: AbortSignal): Promise<boolean> {
  return await new Promise((resolve) => {
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      log = `${log}${chunk.toString()}`.slice(-4_096);
      if (log.includes("Server listening on")) resolve(true);
    });
    child.once("exit", () => resolve(false));
    child.once("error", () => resolve(false));
    deadline.addEventListener("abort", () => resolve(false), { once: true });
  });
}

async function letsIn(options: OpenSshOptions, port: number, deadline: AbortSignal): Promise<boolean> {
  const client = new ssh2.Client();
  const expected = Buffer.from(options.hostKey.publicKey.split(" ")[1] ?? "", "base64");
  try {
    return await new Promise<boolean>((resolve) => {
      client.on("error", () => resolve(false));
      client.on("close", () => resolve(false));
      deadline.addEventListener("abort", () => resolve(false), { once: true });
      client.once("ready", () => {
        client.exec("exit 42", (error, channel) => {
          if (error) return resolve(false);
          channel.on("exit", (code: number | null) => resolve(code === 42));
        });
      });
      client.connect({
        host: "127.0.0.1",
        port,
        username: options.user,
        privateKey: options.clientKey.privateKey,
        hostVerifier: (key: Buffer) => key.equals(expected),
      });
    });
  } finally {
    client.end();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  await exit;
}
