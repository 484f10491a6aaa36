/** Makes random values. Every encoding carries `bytes` × 8 bits. */
import { randomBytes } from "node:crypto";
import type { RandomOptions } from "../../../core/generate.ts";
import { SecretValue } from "../../../core/secret-value.ts";

export function randomValue({ bytes, encoding }: RandomOptions): SecretValue {
  return SecretValue.of(randomBytes(bytes).toString(encoding));
}
