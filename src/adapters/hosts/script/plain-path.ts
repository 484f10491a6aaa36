import { LockstepError } from "../../../core/errors.ts";

/** Absolute or below the user's home, without `.`, `..`, doubled or closing slashes and control characters. */
export function isPlainPath(path: string): boolean {
  return /^(~\/|\/)/.test(path) && !/[\p{Cc}]|\/$|\/\.\.?(\/|$)|\/\//u.test(path);
}

export function assertPlainPath(action: string, path: string): void {
  if (isPlainPath(path)) return;
  throw new LockstepError("INPUT_INVALID", `Cannot ${action}: the path must be absolute or begin with ~/.`);
}
