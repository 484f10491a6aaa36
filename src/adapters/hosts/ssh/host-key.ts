/**
 * A pinned host key: the whole public key, not a fingerprint of it. Its type decides which signature algorithms are
 * offered, so that a server cannot be talked into proving itself with another of its keys.
 */
import { createHash } from "node:crypto";
import { LockstepError } from "../../../core/errors.ts";

export const HOST_KEY_TYPES = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
] as const;
export type HostKeyType = (typeof HOST_KEY_TYPES)[number];

export interface HostKey {
  readonly type: HostKeyType;
  /** The key as it stands in known_hosts and on the wire, base64. */
  readonly key: string;
  /** `SHA256:` and base64 without padding, as OpenSSH prints it. */
  readonly fingerprint: string;
}

const MIN_RSA_BITS = 2048;

/** Parses `type base64 [comment]`, a line of a .pub file. Throws CONFIG_INVALID; the text is public and may be shown. */
export function parseHostKey(text: string): HostKey {
  const [type = "", base64 = ""] = text.trim().split(/\s+/);
  const other = otherLine(text.trim(), type, base64);
  if (other !== null) throw invalid(other);
  const blob = Buffer.from(base64, "base64");
  if (blob.length === 0 || blob.toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, "")) {
    throw invalid("it is not a line of the form `ssh-ed25519 AAAA…`");
  }
  const key = hostKeyOfBlob(blob);
  if (key === null) throw invalid(`its type is none of ${HOST_KEY_TYPES.join(", ")}`);
  if (key.type !== type) throw invalid("its first word and the key itself name different types");
  return key;
}

/** What people paste in its place, by kind; null when it may be a key. */
function otherLine(text: string, type: string, second: string): string | null {
  if (text.includes("\n"))
    return "it is more than one line: pin one key, the ssh-ed25519 one where there is one";
  if (type === "@cert-authority") return "certificates of hosts are not used: pin the host's own key";
  if (type === "@revoked") return "the line says that this key is revoked";
  if (/^SHA256:|^MD5:/.test(type)) return "it is a fingerprint: the whole key is needed";
  if (/-cert-v0[01]@openssh\.com$/.test(type)) return "it is a certificate: pin the host's own key";
  if (type === "ssh-dss") return "DSA keys are not used";
  if (type.startsWith("sk-")) return "keys of security keys are not used for hosts";
  if (type.startsWith("|1|") || /^(?:ssh|ecdsa)-[a-z0-9-]+$/.test(second))
    return "it is a line of known_hosts: leave out the host's name before the type of the key";
  return null;
}

/** The key that a server shows. Null for types that are not used (DSA, certificates, security keys) and short RSA keys. */
export function hostKeyOfBlob(blob: Uint8Array): HostKey | null {
  const fields = parseFields(Buffer.from(blob));
  const type = HOST_KEY_TYPES.find((known) => known === fields?.[0]?.toString("latin1"));
  if (fields === null || type === undefined) return null;
  if (type === "ssh-rsa" && rsaBits(fields[2]) < MIN_RSA_BITS) return null;
  return { type, key: Buffer.from(blob).toString("base64"), fingerprint: fingerprintOfBlob(blob) };
}

export function fingerprintOfBlob(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** Length-prefixed fields of RFC 4253; null when the lengths do not fill the blob exactly. */
function parseFields(blob: Buffer): Buffer[] | null {
  const fields: Buffer[] = [];
  let offset = 0;
  while (offset < blob.length) {
    if (offset + 4 > blob.length) return null;
    const length = blob.readUInt32BE(offset);
    if (offset + 4 + length > blob.length) return null;
    fields.push(blob.subarray(offset + 4, offset + 4 + length));
    offset += 4 + length;
  }
  return fields;
}

function rsaBits(modulus: Buffer | undefined): number {
  const digits = modulus?.toString("hex").replace(/^(00)+/, "") ?? "";
  return digits.length * 4;
}

function invalid(why: string): LockstepError {
  return new LockstepError("CONFIG_INVALID", `Cannot use the pinned host key: ${why}.`, {
    details: { path: "ssh.hostKey" },
    hint: "Take the line from the host's /etc/ssh/ssh_host_ed25519_key.pub, or use `lockstep target trust`.",
  });
}
