/** Which server is asked: a real one where its address is given, otherwise the stand-in. With mounts of this run alone. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { VaultServer } from "../../../src/adapters/vault/vault.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import type { BareClient } from "./bare.ts";
import { createBareClient } from "./bare.ts";

export interface ServerReady {
  readonly address: string;
  readonly token: string;
  readonly caCertificate: string | null;
}

export interface BenchServer {
  readonly isReal: boolean;
  readonly server: VaultServer;
  readonly token: SecretValue;
  readonly bare: BareClient;
  readonly kvMount: string;
  readonly transitMount: string;
  readonly key: string;
}

type CleanUp = (step: () => Promise<unknown> | unknown) => void;

const KEY = "bench";

export async function openServer(signal: AbortSignal, cleanUp: CleanUp): Promise<BenchServer> {
  const { LOCKSTEP_TEST_VAULT_ADDR: address, LOCKSTEP_TEST_VAULT_TOKEN: token } = process.env;
  const isReal = address !== undefined && token !== undefined;
  const ready = isReal ? { address, token, caCertificate: null } : await startDouble(signal, cleanUp);
  const bare = createBareClient(ready);
  cleanUp(() => bare.close());
  const suffix = randomBytes(4).toString("hex");
  const kvMount = `bench-kv-${suffix}`;
  const transitMount = `bench-transit-${suffix}`;
  await bare.ask("POST", `sys/mounts/${kvMount}`, { type: "kv", options: { version: "2" } });
  cleanUp(() => bare.ask("DELETE", `sys/mounts/${kvMount}`));
  await bare.ask("POST", `sys/mounts/${transitMount}`, { type: "transit" });
  cleanUp(() => bare.ask("DELETE", `sys/mounts/${transitMount}`));
  await bare.ask("POST", `${transitMount}/keys/${KEY}`, {});
  return {
    isReal,
    server: { address: ready.address, namespace: null, caCertificate: ready.caCertificate },
    token: SecretValue.of(ready.token),
    bare,
    kvMount,
    transitMount,
    key: KEY,
  };
}

async function startDouble(signal: AbortSignal, cleanUp: CleanUp): Promise<ServerReady> {
  const child = fork(new URL("./server-process.ts", import.meta.url), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  cleanUp(async () => {
    if (child.exitCode !== null) return;
    child.kill();
    await once(child, "exit");
  });
  const [ready] = (await once(child, "message", { signal })) as [ServerReady];
  return ready;
}
