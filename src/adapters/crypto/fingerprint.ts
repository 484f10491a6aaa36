/** Fingerprints compare values without keeping them. The key is random, sealed in the store, untouched by `rewrap`. */
import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import type { Fingerprinter } from "../../core/ports/sealer.ts";
import type { SecretValue } from "../../core/secret-value.ts";

export function newFingerprintKey(): string {
  return randomBytes(32).toString("base64url");
}

/** `key`: as made by `newFingerprintKey`. */
export function createFingerprinter(key: string): Fingerprinter {
  const keyBytes = Buffer.from(key, "base64url");
  return {
    fingerprint(secretId, value) {
      const derived = hkdfSync(
        "sha256",
        keyBytes,
        new Uint8Array(),
        `lockstep/fingerprint/v1/${secretId}`,
        32,
      );
      return createHmac("sha256", Buffer.from(derived)).update(value.reveal()).digest("base64url");
    },
  };
}

/** Hashes both sides first, so that neither content nor length shows in the time taken. */
export function sameValue(left: SecretValue, right: SecretValue): boolean {
  return timingSafeEqual(sha256(left.reveal()), sha256(right.reveal()));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
