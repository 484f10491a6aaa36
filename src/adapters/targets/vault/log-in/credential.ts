/** The sealed part of a target's configuration as the client takes it. */
import { createHash } from "node:crypto";
import { LockstepError } from "../../../../core/errors.ts";
import type { JsonObject } from "../../../../core/json.ts";
import type { TargetContext } from "../../../../core/ports/target-context.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import type { VaultCredential } from "../../../vault/vault.ts";
import type { VaultConfig } from "../config.ts";

type Keeping = Pick<TargetContext, "targetName" | "keepCredentials">;

/** Throws TARGET_CREDENTIAL_REJECTED for none, or one of the other kind. */
export function credentialOf(
  { login }: Pick<VaultConfig, "login">,
  credentials: JsonObject | null,
  { targetName, keepCredentials }: Keeping,
): VaultCredential {
  const text = (name: string): string | null => {
    const value = credentials?.[name];
    return typeof value === "string" ? value : null;
  };
  if (login.kind === "token") {
    const token = text("token");
    if (token !== null) return { kind: "token", token: SecretValue.of(token) };
    throw lacking(targetName, "token", 'Give it as `token: "${env:VAULT_TOKEN}"`');
  }
  const [roleId, secretId, wrapped] = [text("roleId"), text("secretId"), text("wrappedSecretId")];
  if (roleId === null || (secretId === null && wrapped === null))
    throw lacking(
      targetName,
      "role id and secret id",
      "Give both in `appRole`, as `${env:…}` or `${file:…}`",
    );
  const approle = { kind: "approle", mount: login.mount, roleId: SecretValue.of(roleId) } as const;
  if (secretId !== null)
    return { ...approle, secretId: { kind: "plain", secretId: SecretValue.of(secretId) } };
  const token = wrapped ?? "";
  return {
    ...approle,
    secretId: {
      kind: "wrapped",
      token: SecretValue.of(token),
      role: login.role ?? "",
      keep: async (unwrapped) => {
        if (keepCredentials === undefined) throw notKept(targetName);
        await keepCredentials({ roleId, secretId: unwrapped.reveal(), unwrappedFrom: digestOf(token) });
      },
    },
  };
}

/** Before anything is asked: what is good once must not be used up where nothing can be kept. */
export function assertKept(credential: VaultCredential, { targetName, keepCredentials }: Keeping): void {
  if (credential.kind !== "approle" || credential.secretId.kind !== "wrapped") return;
  if (keepCredentials === undefined) throw notKept(targetName);
}

/** Unwrapped credentials remember by what. */
export function cameFrom(stored: JsonObject, given: JsonObject): boolean {
  const wrapped = given["wrappedSecretId"];
  if (typeof wrapped !== "string" || stored["roleId"] !== given["roleId"]) return false;
  return stored["unwrappedFrom"] === digestOf(wrapped);
}

function digestOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

function lacking(target: string, what: string, how: string): LockstepError {
  return new LockstepError("TARGET_CREDENTIAL_REJECTED", `Target "${target}" has no ${what} for Vault.`, {
    hint: `${how}, and run \`lockstep apply\`.`,
  });
}

function notKept(target: string): LockstepError {
  return new LockstepError(
    "UNSUPPORTED",
    `Cannot use the wrapped secret id of target "${target}" yet: it is good once, and what it holds could not be kept.`,
    { hint: "Run `lockstep apply`, and then `lockstep target test`." },
  );
}
