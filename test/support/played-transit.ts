/** Transit as its port tells it, in memory: for what no server can be made to say on command. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { VaultFailure } from "../../src/adapters/vault/failure.ts";
import type { Transit, TransitKey } from "../../src/adapters/vault/transit.ts";

export interface PlayedTransit extends Transit {
  key: TransitKey;
  /** The next calls fail with it; null: they do not. */
  failure: VaultFailure | null;
  /** Of encrypt: what stands in place of its answers. */
  garbled: string | null;
  /** Sizes of the batches that were asked for. */
  readonly batches: number[];
  /** Everything that it was given to encrypt and gave back. */
  readonly plaintexts: Uint8Array[];
  /** Ends with an item that does not open, while the others do. */
  spoilt: (ciphertext: string) => boolean;
}

export const AES_KEY: TransitKey = {
  type: "aes256-gcm96",
  derived: false,
  latestVersion: 1,
  minDecryptionVersion: 1,
  minEncryptionVersion: 0,
  deletionAllowed: false,
  exportable: false,
  allowPlaintextBackup: false,
};

export function playTransit(seed = "one server"): PlayedTransit {
  const keyOf = (version: number) => createHash("sha256").update(`${seed} ${version}`).digest();
  const trouble = (of: VaultFailure["trouble"]) => ({
    failure: new VaultFailure("key", `played ${of}`, { status: 400, trouble: of }),
  });
  const played: PlayedTransit = {
    key: AES_KEY,
    failure: null,
    garbled: null,
    batches: [],
    plaintexts: [],
    spoilt: () => false,
    async encrypt(plaintexts) {
      played.batches.push(plaintexts.length);
      if (played.failure !== null) throw played.failure;
      played.plaintexts.push(...plaintexts);
      const { latestVersion: version } = played.key;
      return plaintexts.map((plaintext) => {
        if (played.garbled !== null) return { ok: played.garbled };
        const nonce = randomBytes(12);
        const cipher = createCipheriv("aes-256-gcm", keyOf(version), nonce);
        const parts = [nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
        return { ok: `vault:v${version}:${Buffer.concat(parts).toString("base64")}` };
      });
    },
    async decrypt(ciphertexts) {
      played.batches.push(ciphertexts.length);
      if (played.failure !== null) throw played.failure;
      return ciphertexts.map((ciphertext) => {
        const [, found = "", body = ""] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
        const version = Number(found);
        if (played.spoilt(ciphertext)) return trouble(null);
        if (version < played.key.minDecryptionVersion) return trouble("too-old");
        if (version > played.key.latestVersion) return trouble("too-new");
        try {
          const bytes = Buffer.from(body, "base64");
          const decipher = createDecipheriv("aes-256-gcm", keyOf(version), bytes.subarray(0, 12), {
            authTagLength: 16,
          }).setAuthTag(bytes.subarray(-16));
          return { ok: Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]) };
        } catch {
          return trouble("unopened");
        }
      });
    },
    async readKey() {
      if (played.failure !== null) throw played.failure;
      return played.key;
    },
  };
  return played;
}
