/** How a new value is made, as lockstep.yaml's `generate` and `fields` say. Pure: the making itself is an issuer's. */
import { LockstepError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { PLAIN_FIELD } from "./secret.ts";

export interface RandomOptions {
  /** 16 to 1024. */
  readonly bytes: number;
  readonly encoding: (typeof ENCODINGS)[number];
}

/** `alphanumeric`: letters and digits, for places that take nothing else; as many as carry `bytes` × 8 bits. */
export const ENCODINGS = ["base64url", "base64", "hex", "alphanumeric"] as const;
const DEFAULT: RandomOptions = { bytes: 32, encoding: "base64url" };

/** Field → how it is made. A secret without a policy gets 32 random bytes as base64url. Throws INPUT_INVALID. */
export function generationOf(policy: JsonObject): ReadonlyMap<string, RandomOptions> {
  const { fields } = policy;
  if (isObject(fields)) {
    return new Map(
      Object.entries(fields).map(([name, field]) => [
        name,
        optionsOf(isObject(field) ? field["generate"] : null),
      ]),
    );
  }
  return new Map([[PLAIN_FIELD, optionsOf(policy["generate"])]]);
}

function optionsOf(generate: unknown): RandomOptions {
  if (generate === undefined || generate === null) return DEFAULT;
  const random = isObject(generate) ? generate["random"] : null;
  if (!isObject(random)) throw invalid();
  const { bytes = DEFAULT.bytes, encoding = DEFAULT.encoding } = random;
  const known = ENCODINGS.find((name) => name === encoding);
  if (
    typeof bytes !== "number" ||
    !Number.isInteger(bytes) ||
    bytes < 16 ||
    bytes > 1_024 ||
    known === undefined
  ) {
    throw invalid();
  }
  return { bytes, encoding: known };
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(): LockstepError {
  return new LockstepError(
    "INPUT_INVALID",
    "Cannot generate: only `random` with 16 to 1024 bytes as base64url, base64, hex or alphanumeric is known.",
  );
}
