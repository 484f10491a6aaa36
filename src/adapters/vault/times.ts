/** Times as Vault writes them: RFC 3339 with up to nine digits of a second, more than a `Date` holds. */

const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/;

/** In ns since the epoch; null: not a time. */
export function nanosecondsOf(time: string): bigint | null {
  const [, seconds = "", fraction = "", zone = ""] = TIME.exec(time) ?? [];
  const ms = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(ms) ? null : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** False also where one of them is not a time. */
export function isLater(time: string, than: string): boolean {
  const [one, other] = [nanosecondsOf(time), nanosecondsOf(than)];
  return one !== null && other !== null && one > other;
}

/** The same instant may be written with more or fewer digits. */
export function isSameTime(left: string, right: string): boolean {
  const one = nanosecondsOf(left);
  return left === right || (one !== null && one === nanosecondsOf(right));
}
