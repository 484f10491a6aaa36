/** Which keys and values a map in KV v2 holds and gives back unchanged. Pure. */
import { LockstepError } from "../../../../core/errors.ts";

/** The non-secret revision marker within the map, so that check-and-set covers it. */
export const REVISION_KEY = "LOCKSTEP_REV";

const MAX_KEY_BYTES = 512;
/** Newer servers take no longer text in a request; older ones no larger entry in their storage. */
const MAX_VALUE_BYTES = 1_048_576;
/** OpenBao takes 1,000 texts in a request, keys included. */
export const MAX_KEYS = 450;

export function assertKey(key: string): void {
  const refuse = (why: string): never => {
    throw new LockstepError("KEY_INVALID", `Vault cannot hold the key ${JSON.stringify(key)}: ${why}.`);
  };
  if (key === "") refuse("it is empty");
  if (/\p{Surrogate}/u.test(key)) refuse("it is not well-formed Unicode");
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) refuse(`it is longer than ${MAX_KEY_BYTES} bytes`);
  // Readers of such a map drop or misread it.
  if (key === "__proto__") refuse("it is a name that programs keep for themselves");
  if (key === REVISION_KEY) refuse("it is Lockstep's own revision marker");
}

export function assertValue(key: string, value: string): void {
  const refuse = (why: string): never => {
    throw new LockstepError("VALUE_INVALID", `Vault cannot hold the value for "${key}": ${why}.`);
  };
  // A server makes U+FFFD of each half.
  if (/\p{Surrogate}/u.test(value)) refuse("it is not well-formed Unicode");
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) refuse("it is longer than 1 MiB");
}
