/** What lockstep.yaml says of a path of a KV v2 engine, in Vault or OpenBao. Pure. */
import { z } from "zod";
import type { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { invalidAt, parseConfig } from "../../../core/plan/parse-target-config.ts";
import { bareHost, isLoopbackHost, isUnreachableAddress } from "../../../lib/addresses.ts";
import type { VaultServer } from "../../vault/vault.ts";
import { digestOf, readAuthorities } from "./log-in/ca.ts";
import { encodedPath, whyApiPath, whyNotPlain } from "./plain-path.ts";

/** Engines that are always there and hold something else. */
const RESERVED = new Set(["sys", "auth", "cubbyhole", "identity"]);

const plain = z.string().superRefine((text, context) => {
  const why = whyNotPlain(text);
  if (why !== null) context.addIssue({ code: "custom", message: why });
});

/** Never judged by its form: servers and their releases differ in it. */
const credential = z
  .string()
  .regex(/^[\x21-\x7e]{1,4096}$/, "is not a credential; it has no blanks and no line breaks");

const appRoleSchema = z.strictObject({
  /** Of the auth method. */
  mount: plain.default("approle"),
  roleId: credential.optional(),
  secretId: credential.optional(),
  /** A wrapping token with a secret id in it: unwrapped once, and what came out is kept sealed. */
  wrappedSecretId: credential.optional(),
  /** Its name, without which nobody could tell whose secret id was wrapped. */
  role: plain.optional(),
});

const vaultSchema = z.strictObject({
  vault: z.strictObject({
    address: z.string(),
    mount: plain,
    path: plain,
    /** Vault Enterprise and OpenBao. Left out: the root namespace. */
    namespace: plain.optional(),
    /** PEM, trusted in addition to the public authorities. */
    ca: z.string().max(65_536).optional(),
    token: credential.optional(),
    appRole: appRoleSchema.optional(),
    /** Folders below the mount that `lockstep discover` looks through; `/`: all of the mount. */
    discover: z.array(z.string()).max(20, "names more than 20 folders").optional(),
    /** False: nothing is written to `custom_metadata`. Default true. */
    label: z.boolean().optional(),
    /** How long an answer is waited for, in ms. Default 30,000. */
    requestTimeoutMs: z.int().min(100).max(120_000).optional(),
  }),
});

type Parsed = z.output<typeof vaultSchema>["vault"];

export interface VaultConfig extends VaultServer {
  readonly mount: string;
  readonly path: string;
  /** By what it logs in; the credential itself is sealed. */
  readonly login:
    | { readonly kind: "token" }
    | { readonly kind: "approle"; readonly mount: string; readonly role: string | null };
  /** Empty: none. `""`: the whole mount. */
  readonly discover: readonly string[];
  readonly label: boolean;
  readonly requestTimeoutMs: number;
}

export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;

export function parseVault(raw: unknown): {
  readonly config: JsonObject;
  readonly credentials: JsonObject | null;
} {
  const { vault } = parseConfig(vaultSchema, raw);
  const { mount, path } = vault;
  const [first = ""] = mount.split("/");
  if (RESERVED.has(first))
    throw invalidAt(["vault", "mount"], `is Vault's own; name the mount of a KV v2 engine`);
  const wrong = whyApiPath(path, mount);
  if (wrong !== null) throw invalidAt(["vault", "path"], wrong);
  if (vault.namespace?.toLowerCase() === "root")
    throw invalidAt(["vault", "namespace"], "is the root namespace; leave it out");
  if (vault.namespace !== undefined && !/^[\x20-\x7e]+$/.test(vault.namespace))
    throw invalidAt(["vault", "namespace"], "may hold ASCII alone, because it travels as a header");
  const config: VaultConfig = {
    address: addressOf(vault.address),
    namespace: vault.namespace ?? null,
    caCertificate: authoritiesOf(vault),
    mount,
    path,
    login: loginOf(vault),
    discover: (vault.discover ?? []).map(folderOf),
    label: vault.label ?? true,
    requestTimeoutMs: vault.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
  };
  return { config: config as unknown as JsonObject, credentials: credentialsOf(vault) };
}

/** The origin alone. */
function addressOf(text: string): string {
  const refuse = (why: string): LockstepError => invalidAt(["vault", "address"], why);
  if (!URL.canParse(text) || !/^https?:\/\//i.test(text))
    throw refuse("is not an address; write https://HOST:PORT, for example https://vault.example.com:8200");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "")
    throw refuse("holds a user; the credential stands in `token` or `appRole`");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    throw refuse(
      `has a path; write the origin alone (${url.origin}), and the rest in \`mount\` and \`path\``,
    );
  // Metadata services live there, in whatever spelling; a token must not be sent to one.
  if (isUnreachableAddress(bareHost(url.hostname)))
    throw refuse("is link-local, a metadata service, or no single host's");
  if (url.protocol === "http:" && !isLoopbackHost(url.hostname))
    throw refuse(
      "must be https: over http everybody on the way reads token and values; http is for loopback alone",
    );
  return url.origin;
}

function authoritiesOf({ ca, address }: Parsed): string | null {
  if (ca === undefined) return null;
  if (!/^https:/i.test(address)) throw invalidAt(["vault", "ca"], "goes with an address that is https");
  try {
    return readAuthorities(ca);
  } catch (error) {
    throw invalidAt(["vault", "ca"], error instanceof Error ? error.message : "is not valid");
  }
}

function folderOf(folder: string, at: number): string {
  if (folder === "/") return "";
  const why = whyNotPlain(folder);
  if (why !== null) throw invalidAt(["vault", "discover", at], why);
  return folder;
}

function loginOf({ token, appRole }: Parsed): VaultConfig["login"] {
  if (appRole === undefined) return { kind: "token" };
  if (token !== undefined)
    throw invalidAt(["vault", "appRole"], "does not go with `token`; keep the one that it shall log in by");
  return { kind: "approle", mount: appRole.mount, role: appRole.role ?? null };
}

/** Given whole or not at all: half of a pair would silently go with the other half that is kept. */
function credentialsOf({ token, appRole }: Parsed): JsonObject | null {
  if (appRole === undefined) return token === undefined ? null : { token };
  const { roleId, secretId, wrappedSecretId, role } = appRole;
  const at = (field: string) => ["vault", "appRole", field];
  if (secretId !== undefined && wrappedSecretId !== undefined)
    throw invalidAt(at("wrappedSecretId"), "does not go with `secretId`; keep one of them");
  if (wrappedSecretId !== undefined && role === undefined)
    throw invalidAt(
      at("role"),
      "is needed with `wrappedSecretId`: without the role's name nobody could tell whose secret id was wrapped",
    );
  if (roleId === undefined && secretId === undefined && wrappedSecretId === undefined) return null;
  if (roleId === undefined)
    throw invalidAt(at("roleId"), "is missing; an AppRole logs in by role id and secret id");
  if (wrappedSecretId !== undefined) return { roleId, wrappedSecretId };
  if (secretId === undefined)
    throw invalidAt(at("secretId"), "is missing; an AppRole logs in by role id and secret id");
  return { roleId, secretId };
}

/** What was stored came from `parseVault`. */
export function readConfig(config: JsonObject): VaultConfig {
  return config as unknown as VaultConfig;
}

type Where = Pick<VaultConfig, "address" | "namespace" | "mount" | "path">;

/** Canonical and case-exact: of a server's several names nobody can know that they are one's. */
export function placeOf({ address, namespace, mount, path }: Where): string {
  return `vault:${new URL(address).host}/${[namespace ?? "", mount, path].map(encodedPath).join(":")}`;
}

export function destinationOf({ address, namespace, mount, path, caCertificate }: VaultConfig): string {
  const where = [namespace ?? "", mount, path].map(encodedPath).join(":");
  return `vault ${address} ${where}${caCertificate === null ? "" : ` ca:${digestOf(caCertificate)}`}`;
}
