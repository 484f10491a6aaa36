/** The Transit secrets engine: keys, and encrypt, decrypt, rewrap one by one and in batches. */
import type { Features } from "../modes.ts";
import { Backend, type EngineRequest, type Route } from "../wire/backend.ts";
import { boolField, intField, secondsField, textField } from "../wire/fields.ts";
import { Refused, type Reply } from "../wire/reply.ts";
import { cryptRoutes } from "./transit-crypt.ts";
import { TransitKey } from "./transit-key.ts";
import { NAME, type TransitStore } from "./transit-store.ts";

export function transitBackend(store: TransitStore): Backend {
  const onKey = (action: string, fields: readonly string[], act: Change): Route => ({
    pattern: new RegExp(`^keys/${NAME}/${action}$`),
    fields,
    update: (request) => act(store, request),
  });
  return new Backend(
    [
      { pattern: /^keys\/?$/, list: () => ({ data: { keys: [...store.keys.keys()].sort() } }) },
      {
        pattern: new RegExp(`^keys/${NAME}$`),
        fields: [
          "type",
          "derived",
          "convergent_encryption",
          "exportable",
          "allow_plaintext_backup",
          "auto_rotate_period",
        ],
        read: ({ at: { name = "" } }) => {
          const key = store.keys.get(name);
          return key === undefined ? null : { data: facts(key, store.features) };
        },
        update: (request) => create(store, request),
        delete: (request) => remove(store, request),
      },
      onKey("rotate", [], rotate),
      onKey(
        "config",
        [
          "min_decryption_version",
          "min_encryption_version",
          "deletion_allowed",
          "exportable",
          "allow_plaintext_backup",
          "auto_rotate_period",
        ],
        configure,
      ),
      onKey("trim", ["min_available_version"], trim),
      ...(store.features.openbao ? softDeletion(store) : []),
      ...cryptRoutes(store),
    ],
    store.features,
  );
}

type Change = (store: TransitStore, request: EngineRequest) => Reply | null;

function facts(key: TransitKey, features: Features): Record<string, unknown> {
  const { type, derived, exportable, allowPlaintextBackup } = key.settings;
  const versions = [...key.versions]
    .filter(([number]) => number >= Math.max(key.minDecryptionVersion, key.minAvailableVersion))
    .map(([number, { createdUnixSeconds }]) => [String(number), createdUnixSeconds]);
  return {
    name: key.name,
    type,
    derived,
    deletion_allowed: key.deletionAllowed,
    min_available_version: key.minAvailableVersion,
    min_decryption_version: key.minDecryptionVersion,
    min_encryption_version: key.minEncryptionVersion,
    latest_version: key.latestVersion,
    exportable,
    allow_plaintext_backup: allowPlaintextBackup,
    supports_encryption: true,
    supports_decryption: true,
    supports_signing: false,
    supports_derivation: true,
    ...(features.partialBatchFails ? { auto_rotate_period: key.autoRotateSeconds, imported_key: false } : {}),
    ...(features.openbao ? { soft_deleted: key.softDeleted } : {}),
    ...(derived ? { kdf: "hkdf_sha256", convergent_encryption: false } : {}),
    keys: Object.fromEntries(versions),
  };
}

/** From 1.14 on the key, before nothing. */
function changed(store: TransitStore, key: TransitKey, ...warnings: readonly string[]): Reply | null {
  if (store.features.transitAnswersKey) return { data: facts(key, store.features), warnings };
  return warnings.length === 0 ? null : { warnings };
}

function create(store: TransitStore, { at: { name = "" }, data }: EngineRequest): Reply | null {
  const type = textField(data, "type") ?? "aes256-gcm96";
  const seconds = secondsField(data, "auto_rotate_period") ?? 0;
  if (seconds !== 0 && seconds < 3600)
    throw new Refused(400, "auto rotate period must be 0 to disable or at least an hour");
  if (!["aes256-gcm96", "chacha20-poly1305"].includes(type))
    throw new Refused(400, `unknown key type ${type}`);
  const found = store.keys.get(name);
  if (found !== undefined) return changed(store, found, `key ${name} already existed`);
  const settings = {
    type,
    derived: boolField(data, "derived") ?? false,
    exportable: boolField(data, "exportable") ?? false,
    allowPlaintextBackup: boolField(data, "allow_plaintext_backup") ?? false,
  };
  const key = new TransitKey(name, settings, store.clock.now());
  key.autoRotateSeconds = seconds;
  store.keys.set(name, key);
  return changed(store, key);
}

function remove(store: TransitStore, { at: { name = "" } }: EngineRequest): null {
  const key = store.keys.get(name);
  if (key === undefined)
    throw new Refused(400, `error deleting policy ${name}: could not delete key; not found`);
  if (!key.deletionAllowed)
    throw new Refused(400, `error deleting policy ${name}: deletion is not allowed for this key`);
  store.keys.delete(name);
  return null;
}

function rotate(store: TransitStore, { at: { name = "" } }: EngineRequest): Reply | null {
  const key = store.keys.get(name);
  if (key === undefined) throw new Refused(400, "key not found");
  if (key.softDeleted) throw new Refused(400, "refusing to use soft-deleted key");
  key.rotate(store.clock.now());
  return changed(store, key);
}

function configure(store: TransitStore, { at: { name = "" }, data }: EngineRequest): Reply | null {
  const key = store.keys.get(name);
  if (key === undefined) throw new Refused(400, `no existing key named ${name} could be found`);
  const decryption = limited(data, "min_decryption_version", "decryption", key) ?? key.minDecryptionVersion;
  const minDecryption = Math.max(1, decryption);
  const minEncryption =
    limited(data, "min_encryption_version", "encryption", key) ?? key.minEncryptionVersion;
  if (minEncryption > 0 && minEncryption < minDecryption)
    throw new Refused(
      400,
      `cannot set min encryption/decryption values; min encryption version of ${minEncryption} must be greater than or equal to min decryption version of ${minDecryption}`,
    );
  if (key.minAvailableVersion > minEncryption)
    throw new Refused(400, "min encryption version should not be less than min available version");
  if (key.minAvailableVersion > minDecryption)
    throw new Refused(400, "min decryption version should not be less then min available version");
  key.minDecryptionVersion = minDecryption;
  key.minEncryptionVersion = minEncryption;
  key.deletionAllowed = boolField(data, "deletion_allowed") ?? key.deletionAllowed;
  key.settings.exportable ||= boolField(data, "exportable") ?? false;
  key.settings.allowPlaintextBackup ||= boolField(data, "allow_plaintext_backup") ?? false;
  key.autoRotateSeconds = secondsField(data, "auto_rotate_period") ?? key.autoRotateSeconds;
  if (decryption !== 0) return changed(store, key);
  return changed(store, key, "since Vault 0.3, transit key numbering starts at 1; forcing minimum to 1");
}

function limited(
  data: EngineRequest["data"],
  field: string,
  word: string,
  key: TransitKey,
): number | undefined {
  const wanted = intField(data, field);
  if (wanted === undefined) return undefined;
  if (wanted < 0) throw new Refused(400, `min ${word} version cannot be negative`);
  if (wanted > key.latestVersion)
    throw new Refused(
      400,
      `cannot set min ${word} version of ${wanted}, latest key version is ${key.latestVersion}`,
    );
  return wanted;
}

function trim(store: TransitStore, { at: { name = "" }, data }: EngineRequest): Reply | null {
  const key = store.keys.get(name);
  if (key === undefined) throw new Refused(400, "invalid key name");
  const wanted = intField(data, "min_available_version");
  if (wanted === undefined) throw new Refused(400, "missing min_available_version");
  const fault = trimFault(key, wanted);
  if (fault !== null) throw new Refused(400, `minimum available version ${fault}`);
  key.minAvailableVersion = wanted;
  for (const number of [...key.versions.keys()]) if (number < wanted) key.versions.delete(number);
  return changed(store, key);
}

function trimFault(key: TransitKey, wanted: number): string | null {
  if (wanted < key.minAvailableVersion) return "cannot be decremented";
  if (key.minEncryptionVersion === 0) return "cannot be set when minimum encryption version is not set";
  if (wanted > key.minEncryptionVersion) return "cannot be greater than minmum encryption version";
  if (wanted > key.minDecryptionVersion) return "cannot be greater than minimum decryption version";
  return wanted <= 0 ? "should be positive" : null;
}

function softDeletion(store: TransitStore): readonly Route[] {
  const set = (softDeleted: boolean) => (request: EngineRequest) => {
    const key = store.keys.get(request.at["name"] ?? "");
    if (key === undefined) return null;
    key.softDeleted = softDeleted;
    return changed(store, key);
  };
  return [
    { pattern: new RegExp(`^keys/${NAME}/soft-delete$`), delete: set(true) },
    { pattern: new RegExp(`^keys/${NAME}/soft-delete-restore$`), update: set(false) },
  ];
}
