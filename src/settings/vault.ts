/**
 * The Vault or OpenBao server behind the key ring and the value store, and which of them are used.
 * No VAULT_* variable is obeyed: what a shell brought along does not decide where keys and values are kept.
 */
import { SecretValue } from "../core/secret-value.ts";
import { judgeCredentialFile } from "../lib/credential-file.ts";
import {
  type Environment,
  invalid,
  isLoopbackName,
  path,
  plainUrl,
  readSettingFile,
  secretText,
  text,
} from "./env-variables.ts";

export type KeyRingKind = "local" | "vault-transit";
export type ValueStoreKind = "postgres" | "vault";

export interface KeepingSettings {
  /** What seals from now on. */
  readonly keyRing: KeyRingKind;
  /** While `rewrap` leads back to the local ring: what opens what it has not reached. */
  readonly previousKeyRing: "vault-transit" | null;
  readonly valueStore: ValueStoreKind;
  /** Null: no server is named. */
  readonly vault: VaultSettings | null;
}

export interface VaultSettings {
  readonly server: {
    /** Origin alone. */
    readonly address: string;
    readonly namespace: string | null;
    /** In PEM, trusted in addition to the public authorities. */
    readonly caCertificate: string | null;
  };
  readonly credential: VaultCredentialSettings;
  readonly transit: { readonly mount: string; readonly key: string };
  readonly kv: { readonly mount: string; readonly prefix: string };
}

export type VaultCredentialSettings =
  | { readonly kind: "token"; readonly token: SecretValue }
  | { readonly kind: "token-file"; readonly path: string }
  | {
      readonly kind: "approle";
      readonly mount: string;
      readonly roleId: SecretValue;
      readonly secretId:
        | { readonly kind: "plain"; readonly secretId: SecretValue }
        | { readonly kind: "file"; readonly path: string }
        | { readonly kind: "wrapped"; readonly token: SecretValue; readonly role: string };
    };

const PREFIX = "LOCKSTEP_VAULT_";
const ADDRESS = `${PREFIX}ADDR`;
const MAX_PEM_BYTES = 1024 * 1024;
const SECRET_IDS = ["SECRET_ID", "SECRET_ID_FILE", "WRAPPED_SECRET_ID", "WRAPPED_SECRET_ID_FILE"] as const;
const NAMES = [
  "NAMESPACE",
  "CA_FILE",
  "TOKEN",
  "TOKEN_FILE",
  "ROLE_ID",
  "ROLE_ID_FILE",
  ...SECRET_IDS,
  "ROLE",
  "APPROLE_MOUNT",
  "TRANSIT_MOUNT",
  "TRANSIT_KEY",
  "KV_MOUNT",
  "KV_PREFIX",
] as const;

/** Throws SETTING_INVALID. */
export function keepingSettings(env: Environment): KeepingSettings {
  const keyRing = oneOf(env, "LOCKSTEP_KEY_RING", ["local", "vault-transit"] as const) ?? "local";
  const previousKeyRing = oneOf(env, "LOCKSTEP_PREVIOUS_KEY_RING", ["vault-transit"] as const);
  const valueStore = oneOf(env, "LOCKSTEP_VALUE_STORE", ["postgres", "vault"] as const) ?? "postgres";
  if (previousKeyRing !== null && keyRing === previousKeyRing)
    throw invalid(
      "LOCKSTEP_PREVIOUS_KEY_RING",
      "names the ring that LOCKSTEP_KEY_RING names too",
      "It is for the way back: set LOCKSTEP_KEY_RING=local, or leave it out.",
    );
  const vault = vaultSettings(env);
  if (vault === null) {
    const needing = [
      ["LOCKSTEP_KEY_RING", keyRing === "vault-transit"],
      ["LOCKSTEP_PREVIOUS_KEY_RING", previousKeyRing !== null],
      ["LOCKSTEP_VALUE_STORE", valueStore === "vault"],
    ] as const;
    const [name] = needing.find(([, isNeeding]) => isNeeding) ?? [];
    if (name !== undefined)
      throw invalid(name, `needs a server, and ${ADDRESS} is not set`, `Set ${ADDRESS}=https://HOST:8200.`);
  }
  return { keyRing, previousKeyRing, valueStore, vault };
}

/** What else than the log needs to know in order to hide it. */
export function vaultSecrets(settings: VaultSettings): readonly SecretValue[] {
  const { credential } = settings;
  if (credential.kind === "token") return [credential.token];
  if (credential.kind === "token-file") return [];
  const { roleId, secretId } = credential;
  if (secretId.kind === "file") return [roleId];
  return [roleId, secretId.kind === "plain" ? secretId.secretId : secretId.token];
}

function vaultSettings(env: Environment): VaultSettings | null {
  const url = plainUrl(env, ADDRESS);
  if (url === null) {
    const [alone] = NAMES.filter((name) => text(env, PREFIX + name) !== null);
    if (alone !== undefined)
      throw invalid(PREFIX + alone, `goes with ${ADDRESS} alone`, `Set ${ADDRESS}=https://HOST:8200 too.`);
    return null;
  }
  if (url.pathname !== "/")
    throw invalid(ADDRESS, "holds a path", "Name scheme, host and port alone: https://HOST:8200.");
  if (url.protocol === "http:" && !isLoopbackName(url.hostname))
    throw invalid(
      ADDRESS,
      "would send tokens and values unencrypted",
      "Begin it with https://; http:// is for this machine's own addresses.",
    );
  return Object.freeze({
    server: Object.freeze({
      address: url.origin,
      namespace: plainPath(env, "NAMESPACE"),
      caCertificate: authority(env, url),
    }),
    credential: Object.freeze(credential(env)),
    transit: Object.freeze({
      mount: plainPath(env, "TRANSIT_MOUNT") ?? "transit",
      key: transitKey(env),
    }),
    kv: Object.freeze({
      mount: plainPath(env, "KV_MOUNT") ?? "secret",
      prefix: plainPath(env, "KV_PREFIX") ?? "lockstep",
    }),
  });
}

function credential(env: Environment): VaultCredentialSettings {
  const has = (name: string): boolean => text(env, PREFIX + name) !== null;
  const isRole = has("ROLE_ID") || has("ROLE_ID_FILE");
  const ways = [has("TOKEN"), has("TOKEN_FILE"), isRole].filter((isSet) => isSet).length;
  const remedy = `Set one: ${PREFIX}TOKEN_FILE, ${PREFIX}TOKEN, or ${PREFIX}ROLE_ID with a secret id.`;
  if (ways > 1) throw invalid(ADDRESS, "comes with more than one way to log in", remedy);
  if (!isRole) {
    const [stray] = [...SECRET_IDS, "ROLE", "APPROLE_MOUNT"].filter(has);
    if (stray !== undefined)
      throw invalid(
        PREFIX + stray,
        `goes with ${PREFIX}ROLE_ID alone`,
        `Set ${PREFIX}ROLE_ID too, or leave it out.`,
      );
  }
  if (ways === 0) throw invalid(ADDRESS, "comes without a way to log in", remedy);
  if (isRole) return appRole(env, has);
  return has("TOKEN_FILE")
    ? { kind: "token-file", path: credentialFile(env, "TOKEN_FILE") }
    : { kind: "token", token: credentialText(env, "TOKEN") };
}

function appRole(env: Environment, has: (name: string) => boolean): VaultCredentialSettings {
  const isWrapped = has("WRAPPED_SECRET_ID") || has("WRAPPED_SECRET_ID_FILE");
  const ways = [has("SECRET_ID"), has("SECRET_ID_FILE"), isWrapped].filter((isSet) => isSet).length;
  if (ways !== 1)
    throw invalid(
      `${PREFIX}ROLE_ID`,
      ways === 0 ? "comes without a secret id" : "comes with more than one secret id",
      `Set one: ${PREFIX}SECRET_ID_FILE, ${PREFIX}SECRET_ID or ${PREFIX}WRAPPED_SECRET_ID.`,
    );
  const role = plainPath(env, "ROLE");
  if ((role !== null) !== isWrapped)
    throw invalid(
      `${PREFIX}ROLE`,
      isWrapped
        ? `is missing beside ${PREFIX}WRAPPED_SECRET_ID`
        : `goes with ${PREFIX}WRAPPED_SECRET_ID alone`,
      "It names the role whose secret id is wrapped, so that another's is not taken for it.",
    );
  return {
    kind: "approle",
    mount: plainPath(env, "APPROLE_MOUNT") ?? "approle",
    roleId: credentialText(env, "ROLE_ID"),
    secretId: has("SECRET_ID_FILE")
      ? { kind: "file", path: credentialFile(env, "SECRET_ID_FILE") }
      : isWrapped
        ? { kind: "wrapped", token: credentialText(env, "WRAPPED_SECRET_ID"), role: role ?? "" }
        : { kind: "plain", secretId: credentialText(env, "SECRET_ID") },
  };
}

/** Copied with a line break or a space in it, it would only be refused far away. */
function credentialText(env: Environment, name: string): SecretValue {
  const value = secretText(env, PREFIX + name) ?? "";
  if (/^[\x21-\x7e]{1,65536}$/.test(value)) return SecretValue.of(value);
  throw invalid(
    PREFIX + name,
    value === "" ? "is empty" : "holds spaces, line breaks or other characters that no credential has",
    "Copy it whole, and alone.",
  );
}

/** Read at each log-in, because others replace what is in it; so it may also come later. */
function credentialFile(env: Environment, name: string): string {
  const file = path(env, PREFIX + name) ?? "";
  const wrong = judgeCredentialFile(file);
  if (wrong === null) return file;
  throw invalid(PREFIX + name, `names a file that cannot be trusted: ${wrong.why}`, wrong.remedy);
}

function authority(env: Environment, url: URL): string | null {
  const name = `${PREFIX}CA_FILE`;
  const file = path(env, name);
  if (file === null) return null;
  if (url.protocol !== "https:")
    throw invalid(name, `is set, and ${ADDRESS} speaks no TLS`, `Begin ${ADDRESS} with https://.`);
  const pem = readSettingFile(name, file, MAX_PEM_BYTES);
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw invalid(name, "names a file without a certificate", "It holds PEM: -----BEGIN CERTIFICATE-----.");
}

/** As the server means it: it would clean another path, and policies read `*` and `+` as wildcards. */
function plainPath(env: Environment, name: string): string | null {
  const value = text(env, PREFIX + name);
  if (value === null) return null;
  const isPlain = value.split("/").every((part) => /^[\w.~@:=-]+$/.test(part) && !/^\.\.?$/.test(part));
  if (isPlain) return value;
  throw invalid(
    PREFIX + name,
    "is not a path that the server takes as it stands",
    "Write letters, digits, - _ . ~ @ : = with single slashes between, none at the ends, for example team/lockstep.",
  );
}

function transitKey(env: Environment): string {
  const value = text(env, `${PREFIX}TRANSIT_KEY`) ?? "lockstep";
  if (/^\w(?:[\w.-]*\w)?$/.test(value)) return value;
  throw invalid(
    `${PREFIX}TRANSIT_KEY`,
    "is not a name of a Transit key",
    "Write letters, digits and _, with - and . within.",
  );
}

function oneOf<T extends string>(env: Environment, name: string, known: readonly T[]): T | null {
  const value = text(env, name);
  if (value === null) return null;
  const found = known.find((one) => one === value);
  if (found === undefined)
    throw invalid(name, "is not one of those that exist", `Use ${known.join(" or ")}.`);
  return found;
}
