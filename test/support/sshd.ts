/**
 * Starts the system's real OpenSSH server on a free loopback port: own host keys, own configuration, key
 * authentication for the user that runs the tests. Works as root and as a normal user; a user can only log in as
 * itself, so both log in as themselves. HOME of the sessions is a temporary directory.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { IN_OWN_MOUNTS, type OwnMounts, ownMountsOf } from "./own-mounts.ts";
import { findServer } from "./servers.ts";

export type TestKeyType = "ed25519" | "rsa" | "ecdsa";

export interface SshdOptions {
  readonly hostKeys?: readonly TestKeyType[];
  /** Unauthenticated connections: `start:rate:full`. */
  readonly maxStartups?: string;
  /** `internal-sftp` alone, starting in the sessions' home: no command can be run. */
  readonly sftpOnly?: boolean;
  /** A program that runs every command in place of the login shell, as `<program> -c <command>`. */
  readonly loginShell?: string;
  /** So that disks of "the host" can be filled, or go bad. */
  readonly ownMounts?: boolean;
  /** Further lines of sshd_config; they come first, and the first word on a setting wins. */
  readonly lines?: readonly string[];
  /** Further ports of the same server, each with what sshd_config's Match block for it says. */
  readonly alsoAt?: Readonly<Record<string, readonly string[]>>;
}

export interface KeyPair {
  /** OpenSSH's own format. */
  readonly privateKey: string;
  /** One line: type and base64. */
  readonly publicKey: string;
}

export interface RunningSshd {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Of `alsoAt`, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** The public host keys, in the order asked for. */
  readonly hostKeys: readonly string[];
  /** The first of `hostKeys`. */
  readonly hostKey: string;
  readonly clientKey: KeyPair;
  /** As a target's `ssh` says it. */
  readonly login: Readonly<Record<"host" | "user" | "hostKey" | "privateKey", string>> & {
    readonly port: number;
  };
  /** HOME of the sessions. */
  readonly home: string;
  /** Null unless asked for. */
  readonly mounts: OwnMounts | null;
  /** What sshd said so far. */
  log(): string;
  /** Lets one more key log in. */
  authorize(publicKey: string): void;
  stop(): Promise<void>;
}

/** By OpenSSH itself: ssh2's own generator makes a damaged ed25519 key now and then. */
export function generateKey(type: TestKeyType = "ed25519", passphrase = ""): KeyPair {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-key-"));
  try {
    const path = join(directory, "key");
    const bits = type === "rsa" ? ["-b", "2048"] : [];
    // One round of the slow derivation from a passphrase: JavaScript opens the key, and takes 0.6 s for the usual ones.
    const words = ["-q", "-a", "1", "-t", type, ...bits, "-N", passphrase, "-C", "", "-f", path];
    execFileSync("ssh-keygen", words);
    const publicKey = readFileSync(`${path}.pub`, "utf8").trim().split(" ").slice(0, 2).join(" ");
    return { privateKey: readFileSync(path, "utf8"), publicKey };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export async function startSshd(options: SshdOptions = {}): Promise<RunningSshd> {
  const program = findServer("sshd");
  if (program === null) throw new Error("sshd was not found");
  // The way to it must be safe for the code under test: a private directory below the system's temporary one.
  const root = realpathSync(mkdtempSync(join(tmpdir(), "lockstep-sshd-")));
  const home = join(root, "home");
  mkdirSync(home, { mode: 0o700 });
  // As root, sshd wants its privilege separation directory.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });

  const hostKeys = (options.hostKeys ?? ["ed25519"]).map((type, index) => {
    const pair = generateKey(type);
    const path = join(root, `host-key-${index}`);
    writeFileSync(path, pair.privateKey, { mode: 0o600 });
    return { path, publicKey: pair.publicKey };
  });
  const clientKey = generateKey();
  const authorizedKeys = join(root, "authorized_keys");
  const authorized = [clientKey.publicKey];
  writeFileSync(authorizedKeys, `${authorized.join("\n")}\n`, { mode: 0o600 });

  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const ports: Record<string, number> = {};
    for (const name of Object.keys(options.alsoAt ?? {})) ports[name] = await freePort();
    const config = join(root, "sshd_config");
    writeFileSync(
      config,
      configLines(options, { root, home, port, ports, hostKeys, authorizedKeys }).join("\n"),
    );
    chmodSync(config, 0o600);
    const [first = program, ...words] = [
      ...(options.ownMounts === true ? IN_OWN_MOUNTS : []),
      ...[program, "-D", "-e", "-f", config],
    ];
    const child = spawn(first, words, { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString("utf8");
    });
    if (await isListening(child, () => log, 1 + Object.keys(ports).length)) {
      const hostKey = hostKeys[0]?.publicKey ?? "";
      const at = { host: "127.0.0.1", port, user: userInfo().username, hostKey };
      return {
        ...at,
        ports,
        hostKeys: hostKeys.map((key) => key.publicKey),
        clientKey,
        login: { ...at, privateKey: clientKey.privateKey },
        home,
        mounts: options.ownMounts === true && child.pid !== undefined ? ownMountsOf(child.pid) : null,
        log: () => log,
        authorize(publicKey) {
          authorized.push(publicKey);
          writeFileSync(authorizedKeys, `${authorized.join("\n")}\n`, { mode: 0o600 });
        },
        async stop() {
          await ended(child);
          // A session of a line that was cut ends a moment after its server, and writes until then.
          rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
        },
      };
    }
    // Another process may have taken the port in between.
    if (attempt === 3) throw new Error(`sshd did not start: ${log}`);
  }
}

interface Places {
  readonly root: string;
  readonly home: string;
  readonly port: number;
  readonly ports: Readonly<Record<string, number>>;
  readonly hostKeys: readonly { readonly path: string }[];
  readonly authorizedKeys: string;
}

function configLines(options: SshdOptions, places: Places): string[] {
  return [
    ...(options.lines ?? []),
    "ListenAddress 127.0.0.1",
    `Port ${places.port}`,
    ...Object.values(places.ports).map((port) => `Port ${port}`),
    `PidFile ${join(places.root, "sshd.pid")}`,
    ...places.hostKeys.map((key) => `HostKey ${key.path}`),
    `AuthorizedKeysFile ${places.authorizedKeys}`,
    "AuthenticationMethods publickey",
    "PermitRootLogin prohibit-password",
    // The temporary directory's parent is writable by all.
    "StrictModes no",
    "UsePAM no",
    "PrintMotd no",
    "UseDNS no",
    `SetEnv HOME=${places.home}`,
    ...(options.maxStartups === undefined ? [] : [`MaxStartups ${options.maxStartups}`]),
    "Subsystem sftp internal-sftp",
    ...(options.sftpOnly === true ? [`ForceCommand internal-sftp -d ${places.home}`] : []),
    ...(options.loginShell === undefined
      ? []
      : [`ForceCommand exec ${options.loginShell} -c "$SSH_ORIGINAL_COMMAND"`]),
    ...Object.entries(options.alsoAt ?? {}).flatMap(([name, block]) => [
      `Match LocalPort ${places.ports[name]}`,
      ...block,
    ]),
    "",
  ];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

async function isListening(child: ChildProcess, log: () => string, ports: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const look = () => {
      if (log().split("Server listening on").length > ports) resolve(true);
    };
    child.stderr?.on("data", look);
    child.once("exit", () => resolve(false));
    child.once("error", () => resolve(false));
    look();
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  await exit;
}
