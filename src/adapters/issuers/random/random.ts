/** Makes random values. Every encoding carries at least `bytes` × 8 bits. */
import { randomBytes, randomInt } from "node:crypto";
import type { RandomOptions } from "../../../core/generate.ts";
import { SecretValue } from "../../../core/secret-value.ts";

const ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export function randomValue({ bytes, encoding }: RandomOptions): SecretValue {
  return SecretValue.of(
    encoding === "alphanumeric" ? alphanumeric(bytes * 8) : randomBytes(bytes).toString(encoding),
  );
}

/** `randomInt` is free of the bias that a remainder of random bytes would have. */
function alphanumeric(bits: number): string {
  const length = Math.ceil(bits / Math.log2(ALPHANUMERIC.length));
  return Array.from({ length }, () => ALPHANUMERIC.charAt(randomInt(ALPHANUMERIC.length))).join("");
}
