/**
 * The private key that logs in. It is parsed once, refuses to sign with SHA-1, and shows itself nowhere: errors name
 * the kind of mistake and never repeat a part of the text.
 */
import { createHash } from "node:crypto";
import type { ParsedKey } from "ssh2";
import type { SecretValue } from "../../../core/secret-value.ts";
import { parseKeyFile } from "./key-formats.ts";

/** The message of the error that stops a SHA-1 signature; the connection's error translation knows it. */
export const SHA1_REFUSED = "a SHA-1 signature was asked for";

export interface LoginKey {
  readonly parsed: ParsedKey;
  /** `SHA256:…` of the public half: tells kept connections of different keys apart, and may be shown. */
  readonly fingerprint: string;
}

/** Throws CONFIG_INVALID with `details.path`. */
export function parseLoginKey(privateKey: SecretValue, passphrase?: SecretValue): LoginKey {
  const key = parseKeyFile(privateKey.reveal(), passphrase?.reveal());
  const sign = key.sign.bind(key);
  // ssh2 falls back to SHA-1 with RSA keys when a server does not list its signature algorithms.
  key.sign = (data, algorithm) => {
    if (key.type === "ssh-rsa" && algorithm !== "sha256" && algorithm !== "sha512")
      throw new Error(SHA1_REFUSED);
    return sign(data, algorithm);
  };
  const digest = createHash("sha256").update(key.getPublicSSH()).digest("base64").replace(/=+$/, "");
  return { parsed: key, fingerprint: `SHA256:${digest}` };
}
