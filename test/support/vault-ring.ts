/** A Vault double with the policy that we ship, and key rings over its Transit. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTransitKeyRing } from "../../src/adapters/crypto/transit-key-ring.ts";
import { createVault } from "../../src/adapters/vault/create-vault.ts";
import { createTransit } from "../../src/adapters/vault/transit.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startVault, type VaultDouble, type VaultMode } from "../../src/simulator/vault/vault.ts";

const POLICY = readFileSync(join(import.meta.dirname, "../../deploy/vault/policies/key-ring.hcl"), "utf8");

export interface VaultForRings {
  readonly vault: VaultDouble;
  readonly token: string;
  /** Each call is a process of its own. */
  ring(options?: RingOptions): KeyRing;
  rotate(key?: string): void;
  /** As an operator sets it. */
  configure(settings: Readonly<Record<string, unknown>>, key?: string): void;
  stop(): Promise<void>;
}

export interface RingOptions {
  readonly key?: string;
  readonly mount?: string;
  readonly token?: string;
}

export async function startVaultForRings(mode?: VaultMode): Promise<VaultForRings> {
  const vault = await startVault(mode === undefined ? {} : { mode });
  vault.mount("transit", "transit");
  vault.transitKey("lockstep");
  vault.policy("lockstep-ring", POLICY);
  const token = vault.token({ policies: ["lockstep-ring"] });
  const lines: { close(): void }[] = [];
  return {
    vault,
    token,
    ring({ key = "lockstep", mount = "transit", token: own = token } = {}) {
      const line = createVault({
        server: { address: vault.address, namespace: null, caCertificate: null },
        credential: { kind: "token", token: SecretValue.of(own) },
      });
      lines.push(line);
      return createTransitKeyRing({
        transit: createTransit(line, { mount, key }),
        namespace: null,
        mount,
        key,
      });
    },
    rotate: (key = "lockstep") => void vault.request("POST", `transit/keys/${key}/rotate`, {}),
    configure: (settings, key = "lockstep") =>
      void vault.request("POST", `transit/keys/${key}/config`, settings),
    async stop() {
      for (const line of lines) line.close();
      await vault.stop();
    },
  };
}
