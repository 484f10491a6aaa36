/** How a new value is made, as lockstep.yaml's `generate` and `fields` say. Pure: the making itself is an issuer's. */
import { LockstepError } from "./errors.ts";
import { isJsonObject, type Json } from "./json.ts";
import { PLAIN_FIELD } from "./secret.ts";

export interface RandomOptions {
  /** 16 to 1024. */
  readonly bytes: number;
  readonly encoding: (typeof ENCODINGS)[number];
}

/** `alphanumeric`: letters and digits, for places that take nothing else; as many as carry `bytes` × 8 bits. */
export const ENCODINGS = ["base64url", "base64", "hex", "alphanumeric"] as const;
const DEFAULT: RandomOptions = { bytes: 32, encoding: "base64url" };

/** By field. */
export type Generation = ReadonlyMap<string, RandomOptions>;

/** A secret that says nothing gets 32 random bytes as base64url. Null: something that this release does not know. */
export function readGeneration(fields: Json | undefined, generate: Json | undefined): Generation | null {
  const said: readonly (readonly [string, Json | undefined])[] = isJsonObject(fields)
    ? Object.entries(fields).map(([name, field]) => [name, isJsonObject(field) ? field["generate"] : null])
    : [[PLAIN_FIELD, generate]];
  const generation = new Map<string, RandomOptions>();
  for (const [field, options] of said) {
    const known = readOptions(options);
    if (known === null) return null;
    generation.set(field, known);
  }
  return generation;
}

function readOptions(generate: Json | undefined): RandomOptions | null {
  if (generate === undefined || generate === null) return DEFAULT;
  const random = isJsonObject(generate) ? generate["random"] : null;
  if (!isJsonObject(random)) return null;
  const { bytes = DEFAULT.bytes, encoding = DEFAULT.encoding } = random;
  const known = ENCODINGS.find((name) => name === encoding);
  const isLength = typeof bytes === "number" && Number.isInteger(bytes) && bytes >= 16 && bytes <= 1_024;
  return isLength && known !== undefined ? { bytes, encoding: known } : null;
}

/** Of a secret's policy, for whoever makes a value. Throws INPUT_INVALID. */
export function generationOf({ generation }: { readonly generation: Generation | null }): Generation {
  if (generation !== null) return generation;
  throw new LockstepError(
    "INPUT_INVALID",
    "Cannot generate: only `random` with 16 to 1024 bytes as base64url, base64, hex or alphanumeric is known.",
  );
}
