/** A real sshd with our own connections to it: what the suites about hosts over SSH share. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SshConnections } from "../../src/adapters/hosts/ssh/connections.ts";
import type { SshDestination } from "../../src/adapters/hosts/ssh/destination.ts";
import { parseHostKey } from "../../src/adapters/hosts/ssh/host-key.ts";
import { parseLoginKey } from "../../src/adapters/hosts/ssh/login-key.ts";
import { SshHost, type SshHostOptions } from "../../src/adapters/hosts/ssh/ssh-host.ts";
import type { Order } from "../../src/core/order.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { type RunningSshd, type SshdOptions, startSshd } from "./sshd.ts";

export const STORE_ID = "0b9f1a52-6c1d-4a7e-9d57-4a1c2e3f5a6b";
export const OTHER_STORE_ID = "5d3c8e10-2f4b-4c6d-8e9f-a0b1c2d3e4f5";

export function orderOf(generation: number, epoch = 1, storeId = STORE_ID): Order {
  return { storeId, epoch, generation, digest: "a".repeat(64) };
}

/** An upper limit that only a broken test reaches. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

export function destinationOf(sshd: RunningSshd, changes: Partial<SshDestination> = {}): SshDestination {
  return {
    host: sshd.host,
    port: sshd.port,
    user: sshd.user,
    hostKey: parseHostKey(sshd.hostKey),
    key: parseLoginKey(SecretValue.of(sshd.clientKey.privateKey)),
    ...changes,
  };
}

export interface SshKit {
  readonly sshd: RunningSshd;
  readonly connections: SshConnections;
  readonly host: SshHost;
  /** A private directory on "the host". */
  readonly directory: string;
  stop(): Promise<void>;
}

export async function startSshKit(
  options: SshdOptions = {},
  hostOptions: SshHostOptions = {},
): Promise<SshKit> {
  const sshd = await startSshd(options);
  const connections = new SshConnections();
  const directory = join(sshd.home, "app");
  mkdirSync(directory, { mode: 0o700 });
  return {
    sshd,
    connections,
    host: new SshHost(connections, destinationOf(sshd), hostOptions),
    directory,
    async stop() {
      await connections.close();
      await sshd.stop();
    },
  };
}

/** Waits for a condition of the outside world; fails after the deadline. */
export async function until(condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const endsAt = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > endsAt) throw new Error("the condition did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The error that a promise ends with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("it was expected to fail");
    },
    (error: unknown) => error,
  );
}
