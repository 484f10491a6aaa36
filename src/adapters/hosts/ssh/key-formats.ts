/**
 * Key files become keys of the SSH library. OpenSSH's own format it reads itself; PKCS#8 and OpenSSL's older formats go
 * through Node, which knows all of their ciphers. What cannot be used is refused with the command that converts it.
 *
 * OpenSSH's format: PROTOCOL.key in its source; `ssh-keygen -Z` chooses the cipher.
 */
import { createPrivateKey, type KeyObject, randomBytes } from "node:crypto";
import ssh2, { type ParsedKey } from "ssh2";
import type { LockstepError } from "../../../core/errors.ts";
import { bareKeyText, type PemBlock, pemOf, privateBlockOf, unusableKey } from "./key-text.ts";

const NEW_KEY =
  'Make a key for Lockstep (ssh-keygen -t ed25519 -N "" -f lockstep_key), and add lockstep_key.pub to authorized_keys on the host.';
const CIPHERS = new Set([
  ...["none", "aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
  ...["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"],
]);
const CURVES = new Set(["prime256v1", "secp384r1", "secp521r1"]);

/** `passphrase`: empty is none. Throws CONFIG_INVALID; the passphrase's fault has the path `ssh.passphrase`. */
export function parseKeyFile(raw: string, passphrase: string | undefined): ParsedKey {
  const text = bareKeyText(raw);
  const opensWith = passphrase === "" ? undefined : passphrase;
  if (text.startsWith("PuTTY-User-Key-File-")) return puttyKey(text, opensWith);
  const block = privateBlockOf(text);
  switch (block.label) {
    case "OPENSSH PRIVATE KEY":
      return openSshKey(block, opensWith);
    case "DSA PRIVATE KEY":
      throw unusableKey("it is a DSA key, which OpenSSH does not accept any more", NEW_KEY);
    case "PRIVATE KEY":
    case "ENCRYPTED PRIVATE KEY":
    case "RSA PRIVATE KEY":
    case "EC PRIVATE KEY":
      return nodeKey(block, opensWith);
    default:
      throw unusableKey("its first line names a kind that is not known", NEW_KEY);
  }
}

function openSshKey(block: PemBlock, passphrase: string | undefined): ParsedKey {
  const head = openSshHead(Buffer.from(block.base64, "base64"));
  if (head === null) throw damaged();
  const { cipher, type } = head;
  if (type.startsWith("sk-")) {
    throw unusableKey("it belongs to a security key, which a person must touch at each login", NEW_KEY);
  }
  if (type === "ssh-dss")
    throw unusableKey("it is a DSA key, which OpenSSH does not accept any more", NEW_KEY);
  if (!CIPHERS.has(cipher)) {
    throw unusableKey(
      "it is encrypted with a cipher that Lockstep does not open (chacha20-poly1305, or a newer one)",
      "Encrypt it again with another one: ssh-keygen -p -Z aes256-ctr -f KEY.",
    );
  }
  if (cipher !== "none" && passphrase === undefined) throw lacksPassphrase();
  const key = sshKey(pemOf(block), passphrase);
  if (key !== null) return key;
  throw cipher === "none" ? damaged() : wrongPassphrase();
}

/** RFC 5208 and 5958, PKCS#1, SEC 1. */
function nodeKey(block: PemBlock, passphrase: string | undefined): ParsedKey {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pemOf(block), ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    throw notOpened(block, passphrase, error);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  let pem: string | null = null;
  if (type === "rsa") pem = key.export({ type: "pkcs1", format: "pem" }).toString();
  if (type === "ec" && CURVES.has(details?.namedCurve ?? ""))
    pem = key.export({ type: "sec1", format: "pem" }).toString();
  if (type === "ed25519") pem = openSshEd25519(key);
  if (pem === null) {
    throw unusableKey(
      `it is of a type that SSH does not use (${type === "ec" ? "another curve than P-256, P-384 and P-521" : String(type)})`,
      NEW_KEY,
    );
  }
  return sshKey(pem, undefined) ?? raise(damaged());
}

/**
 * Only the code is looked at: OpenSSL's texts are not ours. A cipher that it lacks is `EVP_UNSUPPORTED` with every
 * passphrase. A wrong one is `BAD_DECRYPT`, and once in some hundred times its padding fits by chance: then what came
 * out is no key, which is plain `UNSUPPORTED`.
 */
function notOpened(block: PemBlock, passphrase: string | undefined, error: unknown): LockstepError {
  const isEncrypted = block.encryption !== null || block.label === "ENCRYPTED PRIVATE KEY";
  if (!isEncrypted) return damaged();
  if (passphrase === undefined) return lacksPassphrase();
  const code = String((error as { code?: unknown }).code);
  if (/EVP_UNSUPPORTED|UNKNOWN|FETCH/.test(code)) {
    return unusableKey(
      "it is encrypted with a cipher that Node does not open any more",
      "Encrypt it again with another one: ssh-keygen -p -f KEY.",
    );
  }
  return wrongPassphrase();
}

/** The library reads version 2 with RSA alone. */
function puttyKey(text: string, passphrase: string | undefined): ParsedKey {
  const isOld = /^PuTTY-User-Key-File-2: ssh-rsa\n/.test(text);
  if (isOld && passphrase === undefined && !/\nEncryption: none\n/.test(text)) throw lacksPassphrase();
  const key = isOld ? sshKey(`${text}\n`, passphrase) : null;
  if (key !== null) return key;
  throw unusableKey(
    "it has PuTTY's format (.ppk)",
    "Convert it: puttygen KEY.ppk -O private-openssh -o KEY (in PuTTYgen's window: Conversions, Export OpenSSH key).",
  );
}

function sshKey(text: string, passphrase: string | undefined): ParsedKey | null {
  try {
    const parsed: unknown = ssh2.utils.parseKey(text, passphrase);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    return key === undefined || key instanceof Error ? null : (key as ParsedKey);
  } catch {
    // It throws for ciphers that its table names and Node lacks.
    return null;
  }
}

/** What stands before the encrypted part. Null: it is not whole. */
function openSshHead(data: Buffer): { readonly cipher: string; readonly type: string } | null {
  const magic = Buffer.from("openssh-key-v1\0");
  if (!data.subarray(0, magic.length).equals(magic)) return null;
  let at = magic.length;
  const next = (): Buffer | null => {
    if (at + 4 > data.length) return null;
    const end = at + 4 + data.readUInt32BE(at);
    if (end > data.length) return null;
    const field = data.subarray(at + 4, end);
    at = end;
    return field;
  };
  const [cipher, kdf, kdfOptions] = [next(), next(), next()];
  if (cipher === null || kdf === null || kdfOptions === null) return null;
  // How many keys follow: one, in every release so far.
  at += 4;
  const blob = next();
  if (blob === null || blob.length < 4) return null;
  const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1");
  return { cipher: cipher.toString("latin1"), type };
}

/** The library reads ed25519 in OpenSSH's format alone. */
function openSshEd25519(key: KeyObject): string {
  const { d = "", x = "" } = key.export({ format: "jwk" });
  const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const type = Buffer.from("ssh-ed25519");
  const blob = Buffer.concat([field(type), field(point)]);
  const check = randomBytes(4);
  const open = Buffer.concat([
    check,
    check,
    blob,
    field(Buffer.concat([seed, point])),
    field(Buffer.alloc(0)),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (open.length % 8)) % 8 }, (_, index) => index + 1));
  const none = field(Buffer.from("none"));
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...[none, none, field(Buffer.alloc(0)), Buffer.from([0, 0, 0, 1]), field(blob)],
    field(Buffer.concat([open, padding])),
  ]);
  return pemOf({ label: "OPENSSH PRIVATE KEY", encryption: null, base64: whole.toString("base64") });
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function damaged(): LockstepError {
  return unusableKey("it is damaged", "Give the whole file as it is, from -----BEGIN to -----END.");
}

function lacksPassphrase(): LockstepError {
  return unusableKey(
    "it is encrypted, and no passphrase is given",
    "Give `passphrase` beside it, or another key.",
  );
}

function wrongPassphrase(): LockstepError {
  return unusableKey(
    "the passphrase does not open it",
    "Correct the passphrase (ssh-keygen -y -f KEY tries it).",
    "ssh.passphrase",
  );
}

function raise(error: LockstepError): never {
  throw error;
}
