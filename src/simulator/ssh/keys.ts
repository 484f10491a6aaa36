/**
 * Key pairs for a host that lives for a minute. P-256 in SEC1's form, because OpenSSH and ssh2 both read it and Node
 * makes it by itself: no ssh-keygen is needed.
 */
import { generateKeyPairSync } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";

export interface SshKeyPair {
  /** PEM. */
  readonly privateKey: string;
  /** One line: type and base64. */
  readonly publicKey: string;
}

export function generateSshKey(): SshKeyPair {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "sec1", format: "pem" }).toString();
  const key = parseSshKey(pem);
  return { privateKey: pem, publicKey: `${key.type} ${key.getPublicSSH().toString("base64")}` };
}

export function parseSshKey(text: string): ParsedKey {
  const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error) throw new Error("the key cannot be read");
  return key;
}
