/**
 * A host over SSH on loopback: OpenSSH's real server where this machine has one that works, otherwise a stand-in in
 * this process. Whoever asked is told which, and why. Its files live in a directory of the caller's, which also
 * removes it.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { generateSshKey } from "./keys.ts";
import { findOpenSsh, startOpenSsh } from "./openssh.ts";
import { startStandIn } from "./stand-in.ts";

export interface SshHostOptions {
  /** Private and empty; everything of the host lies in it. */
  readonly directory: string;
  /** For the sessions of the stand-in, and PATH to find OpenSSH. */
  readonly environment: Readonly<Record<string, string>>;
  /** "auto" (default): OpenSSH's where it works. */
  readonly server?: "auto" | "stand-in" | undefined;
  /** Starts OpenSSH's server, with a readable stderr, and sees to it that it never outlives the caller. */
  readonly launch: (program: string, parameters: readonly string[]) => ChildProcess;
  readonly signal: AbortSignal;
}

export interface RunningSshHost {
  readonly server: "openssh" | "stand-in";
  /** Why it is a stand-in; null otherwise. */
  readonly reason: string | null;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** One line: type and base64. */
  readonly hostKey: string;
  /** Lets its holder log in. PEM. */
  readonly privateKey: string;
  /** HOME of the sessions. */
  readonly home: string;
  stop(): Promise<void>;
}

export async function startSshHost(options: SshHostOptions): Promise<RunningSshHost> {
  const { directory, environment, launch, signal } = options;
  const name = userName();
  const user = name ?? "demo";
  const home = join(directory, "home");
  mkdirSync(home, { mode: 0o700, recursive: true });
  const hostKey = generateSshKey();
  const clientKey = generateSshKey();
  const host = {
    address: "127.0.0.1",
    user,
    hostKey: hostKey.publicKey,
    privateKey: clientKey.privateKey,
    home,
  };

  const wanted = options.server !== "stand-in" && name !== null;
  const program = wanted ? findOpenSsh(environment["PATH"] ?? "") : null;
  if (program !== null) {
    const real = await startOpenSsh({ program, directory, home, hostKey, clientKey, user, launch, signal });
    if (real !== null) return { ...host, ...real, server: "openssh", reason: null };
  }
  const standIn = await startStandIn({
    hostKey: hostKey.privateKey,
    clientKey: clientKey.publicKey,
    user,
    environment: { ...environment, HOME: home },
  });
  return { ...host, ...standIn, server: "stand-in", reason: reasonOf(options, name, program) };
}

function reasonOf(options: SshHostOptions, name: string | null, program: string | null): string {
  if (options.server === "stand-in") return "it was asked for";
  if (name === null) return "this user has no name, so nobody can log in as it";
  return program === null ? "this machine has no sshd" : "this machine's sshd does not let this user in";
}

/** Null in containers that run under an id without an entry. */
function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}
