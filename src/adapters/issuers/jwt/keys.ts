/**
 * Signing keys: which version of their secret signs, and which of them verifiers must know. A new key is published
 * before anything is signed with it, and an old one stays published as long as its tokens may live.
 */
import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, type JWK } from "jose";
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { IssuerInput } from "../../../core/ports/issuer.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import type { JwtIssue } from "../../../protocol/issue.ts";

export interface SigningKey {
  readonly madeAtMs: number;
  readonly key: KeyObject;
}

const MIN_HMAC_BYTES = 32;

/**
 * Of keys, newest first: the newest that was published for `publishForMs`; where none was, the oldest, which verifiers
 * know longest.
 */
export function signingKey<Key extends Pick<SigningKey, "madeAtMs">>(
  keys: readonly Key[],
  nowMs: number,
  publishForMs: number,
): Key | undefined {
  return keys.find(({ madeAtMs }) => madeAtMs + publishForMs <= nowMs) ?? keys.at(-1);
}

/** Throws ISSUER_REFUSED, without the key. */
function readKey(value: SecretValue, algorithm: JwtIssue["algorithm"]): KeyObject {
  const text = value.reveal();
  if (algorithm === "HS256") {
    const key = Buffer.from(text);
    if (key.length < MIN_HMAC_BYTES) throw unusable(`for HS256 it needs at least ${MIN_HMAC_BYTES} bytes`);
    return createSecretKey(key);
  }
  const key = parsed(text);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const fits =
    algorithm === "EdDSA"
      ? key.asymmetricKeyType === "ed25519"
      : key.asymmetricKeyType === "ec" && curve === "prime256v1";
  if (!fits) throw unusable(`${algorithm} needs a ${algorithm === "EdDSA" ? "Ed25519" : "P-256"} key`);
  return key;
}

/** RFC 7638 thumbprint of the public key; null for HS256, whose key nobody may learn anything about. */
export async function keyIdOf(key: KeyObject): Promise<string | null> {
  return key.type === "secret" ? null : calculateJwkThumbprint(await publicJwk(key));
}

/** Versions that are keys of that kind: what is none has never signed anything. Throws as `readKey` when none is one. */
export function keysAmong(
  versions: IssuerInput["versions"],
  algorithm: JwtIssue["algorithm"],
): readonly SigningKey[] {
  let failure: LockstepError | null = null;
  const keys = [...versions]
    .sort((left, right) => right.version - left.version)
    .flatMap(({ value, madeAtMs }): readonly SigningKey[] => {
      try {
        return [{ madeAtMs, key: readKey(value, algorithm) }];
      } catch (error) {
        failure ??= toLockstepError(error);
        return [];
      }
    });
  if (keys.length === 0 && failure !== null) throw failure;
  return keys;
}

/** What verifiers fetch (RFC 7517), newest first. Empty for HS256. */
export async function publicKeys(
  versions: IssuerInput["versions"],
  algorithm: JwtIssue["algorithm"],
): Promise<readonly JsonObject[]> {
  if (algorithm === "HS256") return [];
  return await Promise.all(
    keysAmong(versions, algorithm).map(async ({ key }) => {
      const jwk = { ...(await publicJwk(key)) } as JsonObject;
      return { ...jwk, kid: (await keyIdOf(key)) ?? "", alg: algorithm, use: "sig" };
    }),
  );
}

function publicJwk(key: KeyObject): Promise<JWK> {
  return exportJWK(createPublicKey(key));
}

/** Messages of the runtime may quote the key. */
function parsed(text: string): KeyObject {
  try {
    return text.trimStart().startsWith("{")
      ? createPrivateKey({ key: JSON.parse(text) as Record<string, unknown>, format: "jwk" })
      : createPrivateKey(text);
  } catch {
    throw unusable("it is neither a private key as PEM nor a private JWK");
  }
}

function unusable(why: string): LockstepError {
  return new LockstepError("ISSUER_REFUSED", `Cannot sign tokens with the key: ${why}.`, {
    hint: "Set a fitting key: `openssl genpkey -algorithm ed25519 | lockstep secret set NAME`.",
  });
}
