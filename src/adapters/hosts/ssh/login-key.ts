/**
 * The private key that logs in. It is parsed once, refuses to sign with SHA-1, and shows itself nowhere: errors name
 * the kind of mistake and never repeat a part of the text.
 */
import { createHash } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";
import { LockstepError } from "../../../core/errors.ts";
import type { SecretValue } from "../../../core/secret-value.ts";

/** The message of the error that stops a SHA-1 signature; the connection's error translation knows it. */
export const SHA1_REFUSED = "a SHA-1 signature was asked for";

export interface LoginKey {
  readonly parsed: ParsedKey;
  /** `SHA256:…` of the public half: tells kept connections of different keys apart, and may be shown. */
  readonly fingerprint: string;
}

/** Throws CONFIG_INVALID with `details.path`. */
export function parseLoginKey(privateKey: SecretValue, passphrase?: SecretValue): LoginKey {
  const text = `${privateKey.reveal().replaceAll("\r\n", "\n").trimEnd()}\n`;
  const parsed = ssh2.utils.parseKey(text, passphrase?.reveal());
  const key: ParsedKey | Error | undefined = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) throw unusable(text, passphrase);
  if (!key.isPrivateKey()) {
    throw invalid("ssh.privateKey", "it is a public key", "Give the file without `.pub`.");
  }
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

function unusable(text: string, passphrase: SecretValue | undefined): LockstepError {
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m.test(text)) {
    return invalid(
      "ssh.privateKey",
      "it is not a private key file",
      "Give the whole file, from -----BEGIN to -----END.",
    );
  }
  return passphrase === undefined
    ? invalid("ssh.privateKey", "it is damaged, or needs a passphrase", "Give `passphrase`, or another key.")
    : invalid("ssh.passphrase", "the passphrase does not open it", "Correct the passphrase.");
}

function invalid(path: string, why: string, hint: string): LockstepError {
  return new LockstepError("CONFIG_INVALID", `Cannot use the private key: ${why}.`, {
    details: { path },
    hint,
  });
}
