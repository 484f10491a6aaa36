import { LockstepError } from "../../../core/errors.ts";

/** Absolute or below the user's home, without `.`, `..`, doubled or closing slashes and control characters. */
export function assertPlainPath(action: string, path: string): void {
  const plain = /^(~\/|\/)/.test(path) && !/[\p{Cc}]|\/$|\/\.\.?(\/|$)|\/\//u.test(path);
  if (plain) return;
  throw new LockstepError("INPUT_INVALID", `Cannot ${action}: the path must be absolute or begin with ~/.`);
}
