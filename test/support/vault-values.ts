/** A Vault double with the policy that we ship, and value stores on it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServerClock } from "../../src/adapters/values/vault-clock.ts";
import { createVaultValues } from "../../src/adapters/values/vault-values.ts";
import { createVault } from "../../src/adapters/vault/create-vault.ts";
import { createKv } from "../../src/adapters/vault/kv.ts";
import type { NamedValueStore } from "../../src/core/ports/value-store.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import type { VaultClock } from "../../src/simulator/vault/clock.ts";
import { startVault, type VaultDouble, type VaultMode } from "../../src/simulator/vault/vault.ts";

const POLICY = readFileSync(join(import.meta.dirname, "../../deploy/vault/policies/value-store.hcl"), "utf8");

export interface VaultForValues {
  readonly vault: VaultDouble;
  readonly token: string;
  /** Of one store; each call is a process of its own. */
  values(storeId: string): NamedValueStore;
  /** Paths at which anything is known of a value, below the prefix of a store. */
  standing(storeId: string): readonly string[];
  stop(): Promise<void>;
}

export async function startVaultForValues(
  options: { readonly mode?: VaultMode; readonly clock?: VaultClock } = {},
): Promise<VaultForValues> {
  const vault = await startVault(options);
  vault.mount("kv-v2", "secret");
  vault.policy("lockstep-values", POLICY);
  const token = vault.token({ policies: ["lockstep-values"] });
  const lines: { close(): void }[] = [];
  const list = (path: string): readonly string[] => {
    const { status, body } = vault.request("LIST", `secret/metadata/${path}`);
    return status === 200 ? (body as { data: { keys: string[] } }).data.keys : [];
  };
  return {
    vault,
    token,
    values(storeId) {
      const line = createVault({
        server: { address: vault.address, namespace: null, caCertificate: null },
        credential: { kind: "token", token: SecretValue.of(token) },
      });
      lines.push(line);
      return createVaultValues(
        createKv(line),
        { mount: "secret", prefix: "lockstep", storeId },
        createServerClock(line),
      );
    },
    standing: (storeId) =>
      list(`lockstep/${storeId}/`).flatMap((secret) =>
        list(`lockstep/${storeId}/${secret}`).map((name) => `lockstep/${storeId}/${secret}${name}`),
      ),
    async stop() {
      for (const line of lines) line.close();
      await vault.stop();
    },
  };
}
