/** Absolute or below the user's home, without `.`, `..`, doubled or closing slashes and control characters. */
export function isPlainPath(path: string): boolean {
  return /^(~\/|\/)/.test(path) && !/[\p{Cc}]|\/$|\/\.\.?(\/|$)|\/\//u.test(path);
}
