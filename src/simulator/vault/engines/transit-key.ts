/** One Transit key: its versions, and AES-256-GCM with them. Texts are Vault's own. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { Refused } from "../wire/reply.ts";

export interface KeySettings {
  readonly type: string;
  readonly derived: boolean;
  exportable: boolean;
  allowPlaintextBackup: boolean;
}

interface KeyVersion {
  readonly key: Buffer;
  readonly createdUnixSeconds: number;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function decodeBase64(text: string): Buffer {
  if (!BASE64.test(text)) throw new Refused(400, `illegal base64 data at input byte ${badByte(text)}`);
  return Buffer.from(text, "base64");
}

function badByte(text: string): number {
  const at = text.search(/[^A-Za-z0-9+/=]/);
  return at === -1 ? Math.max(0, text.length - (text.length % 4)) : at;
}

/** Go's own error, not Vault's: servers that do not expect it answer 500, for a whole batch. */
export class AuthenticationFailed extends Refused {
  constructor() {
    super(400, "cipher: message authentication failed");
  }
}

export class TransitKey {
  readonly name: string;
  readonly settings: KeySettings;
  latestVersion = 0;
  minDecryptionVersion = 1;
  minEncryptionVersion = 0;
  minAvailableVersion = 0;
  deletionAllowed = false;
  autoRotateSeconds = 0;
  softDeleted = false;
  readonly versions = new Map<number, KeyVersion>();

  constructor(name: string, settings: KeySettings, now: Date) {
    this.name = name;
    this.settings = settings;
    this.rotate(now);
  }

  rotate(now: Date): void {
    this.latestVersion += 1;
    this.versions.set(this.latestVersion, {
      key: randomBytes(32),
      createdUnixSeconds: Math.floor(now.getTime() / 1000),
    });
  }

  #keyOf(version: number, context: Buffer): Buffer {
    const found = this.versions.get(version);
    if (found === undefined) throw new Refused(400, "no key version");
    if (!this.settings.derived) return found.key;
    if (context.length === 0)
      throw new Refused(
        400,
        "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
      );
    return Buffer.from(hkdfSync("sha256", found.key, Buffer.alloc(0), context, 32));
  }

  encrypt(plaintext: string, wanted: number, context: Buffer, associatedData: Buffer): string {
    this.#checkDeleted();
    const plain = decodeBase64(plaintext);
    const version = wanted === 0 ? this.latestVersion : wanted;
    if (wanted < 0) throw new Refused(400, "requested version for encryption is negative");
    if (version > this.latestVersion)
      throw new Refused(400, "requested version for encryption is higher than the latest key version");
    if (version < this.minEncryptionVersion)
      throw new Refused(
        400,
        "requested version for encryption is less than the minimum encryption key version",
      );
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#keyOf(version, context), nonce);
    cipher.setAAD(associatedData);
    const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return `vault:v${version}:${sealed.toString("base64")}`;
  }

  /** Base64 of the plaintext. */
  decrypt(ciphertext: string, context: Buffer, associatedData: Buffer): string {
    this.#checkDeleted();
    if (!ciphertext.startsWith("vault:v")) throw new Refused(400, "invalid ciphertext: no prefix");
    const [number = "", ...rest] = ciphertext.slice("vault:v".length).split(":");
    if (rest.length === 0) throw new Refused(400, "invalid ciphertext: wrong number of fields");
    if (!/^[-+]?\d+$/.test(number))
      throw new Refused(400, "invalid ciphertext: version number could not be decoded");
    const version = Number(number) === 0 ? 1 : Number(number);
    if (version > this.latestVersion) throw new Refused(400, "invalid ciphertext: version is too new");
    if (version < this.minDecryptionVersion)
      throw new Refused(400, "ciphertext or signature version is disallowed by policy (too old)");
    const body = rest.join(":");
    if (!BASE64.test(body)) throw new Refused(400, "invalid ciphertext: could not decode base64");
    const sealed = Buffer.from(body, "base64");
    const key = this.#keyOf(version, context);
    if (sealed.length < 12) throw new Refused(400, "invalid ciphertext length");
    if (sealed.length < 28) throw new AuthenticationFailed();
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
    decipher.setAAD(associatedData);
    decipher.setAuthTag(sealed.subarray(-16));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString("base64");
    } catch {
      throw new AuthenticationFailed();
    }
  }

  #checkDeleted(): void {
    if (this.softDeleted) throw new Refused(400, "refusing to use soft-deleted key");
  }
}
