/** The Vault or OpenBao server of the settings, as its adapters take it: one line for ring and values alike. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { createDial } from "../adapters/outgoing/dial.ts";
import type { Listener } from "../adapters/outgoing/own-listeners.ts";
import type { Scrubber } from "../adapters/telemetry/scrubber.ts";
import { createServerClock } from "../adapters/values/vault-clock.ts";
import { createVaultValues } from "../adapters/values/vault-values.ts";
import { createVault, type OpenVault } from "../adapters/vault/create-vault.ts";
import { createKv } from "../adapters/vault/kv.ts";
import { OWN_TOKEN_RIGHTS, policyHint } from "../adapters/vault/rights.ts";
import type { Vault, VaultCredential } from "../adapters/vault/vault.ts";
import type { Logger } from "../core/ports/logger.ts";
import type { NamedValueStore, ValueStore } from "../core/ports/value-store.ts";
import type { VaultLogIn, VaultToken } from "../core/ports/vault-token.ts";
import type { SecretValue } from "../core/secret-value.ts";
import type { Settings, VaultSettings } from "../settings/settings.ts";
import { type KeepingSettings, type VaultCredentialSettings, vaultSecrets } from "../settings/vault.ts";

interface Around {
  readonly dataDirectory: string;
  readonly scrubber: Scrubber;
  readonly ownListeners: () => readonly Listener[];
}

/** Asks nobody yet. */
export function openVault(settings: VaultSettings, around: Around): OpenVault {
  for (const secret of vaultSecrets(settings)) around.scrubber.know(secret.reveal());
  return createVault({
    server: settings.server,
    credential: credentialOf(settings.credential, around),
    connect: createDial({ ownListeners: around.ownListeners }),
    onSecret: (secret) => around.scrubber.know(secret.reveal()),
  });
}

/** As doctor and the watch take it. Tells no id and no path of a file. */
export function vaultTokenOf(vault: OpenVault, settings: VaultSettings, uses: VaultUses): VaultToken {
  const logIn = logInOf(settings.credential);
  const keeps = keptThere(settings, uses);
  return {
    health() {
      const { failure, ...told } = vault.health;
      const hint =
        failure?.verdict === "permission" ? policyHint([OWN_TOKEN_RIGHTS.renew], settings.server) : null;
      return {
        logIn,
        keeps,
        ...told,
        failure: failure === null ? null : { reason: failure.message, hint },
      };
    },
  };
}

/** One line at the start, so that people see what is in use; no id, no token, no path of a file. */
export function tellOfVault(log: Logger, { vault, ...uses }: Settings): void {
  if (vault === null) return;
  const { server, credential } = vault;
  const keeps = keptThere(vault, uses);
  const logIn = logInOf(credential);
  log.info(
    keeps.length === 0
      ? "a Vault server is named, and keeps neither keys nor values"
      : "Vault keeps what is named",
    {
      address: server.address,
      namespace: server.namespace,
      keeps,
      logIn: "mount" in logIn ? `AppRole at auth/${logIn.mount}, by ${logIn.kind}` : logIn.kind,
    },
  );
}

type VaultUses = Pick<KeepingSettings, "keyRing" | "previousKeyRing" | "valueStore">;

function keptThere({ server, transit, kv }: VaultSettings, uses: VaultUses): readonly string[] {
  const within = server.namespace === null ? "" : `${server.namespace}/`;
  const ring = `vault-transit ${within}${transit.mount}/${transit.key}`;
  return [
    ...(uses.keyRing === "vault-transit" ? [`the key ring ${ring}`] : []),
    ...(uses.previousKeyRing === "vault-transit" ? [`the previous key ring ${ring}`] : []),
    ...(uses.valueStore === "vault" ? [`the value store ${within}${kv.mount}/${kv.prefix}`] : []),
  ];
}

function logInOf(credential: VaultCredentialSettings): VaultLogIn {
  if (credential.kind !== "approle") return { kind: credential.kind };
  const kinds = { plain: "secret-id", file: "secret-id-file", wrapped: "wrapped-secret-id" } as const;
  return { kind: kinds[credential.secretId.kind], mount: credential.mount };
}

export function vaultValues(
  vault: Vault,
  { kv: { mount, prefix } }: VaultSettings,
  storeId: string,
): NamedValueStore {
  return createVaultValues(createKv(vault), { mount, prefix, storeId }, createServerClock(vault));
}

/** Every value passes here on its way in and out: from then on the log knows it. */
export function knowingValues<T extends ValueStore>(store: T, know: (plain: string) => void): T {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      if (property === "put") {
        const put: ValueStore["put"] = (of, name, plain) => {
          know(plain);
          return target.put(of, name, plain);
        };
        return put;
      }
      if (property === "read") {
        const read: ValueStore["read"] = async (of, stored) => {
          const plain = await target.read(of, stored);
          know(plain);
          return plain;
        };
        return read;
      }
      return member.bind(target);
    },
  });
}

function credentialOf(settings: VaultCredentialSettings, around: Around): VaultCredential {
  if (settings.kind !== "approle") return settings;
  const given = settings.secretId;
  if (given.kind !== "wrapped") return { ...settings, secretId: given };
  const { token, role } = given;
  // It is unwrapped once: what came out is kept beside the root key, under a name that tells which one it was.
  const name = createHash("sha256").update(token.reveal()).digest("hex").slice(0, 16);
  const path = join(around.dataDirectory, `vault-secret-id-${name}`);
  const secretId = existsSync(path)
    ? ({ kind: "file", path } as const)
    : ({ kind: "wrapped", token, role, keep: (value: SecretValue) => keep(path, value, around) } as const);
  return { ...settings, secretId };
}

async function keep(path: string, value: SecretValue, { scrubber }: Around): Promise<void> {
  scrubber.know(value.reveal());
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(value.reveal());
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
