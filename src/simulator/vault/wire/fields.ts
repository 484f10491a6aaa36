/** Parameters as Vault's framework reads them: weakly, and refused where that does not work. */
import { Refused } from "./reply.ts";

type Data = Readonly<Record<string, unknown>>;

function unreadable(name: string, expected: string): never {
  throw new Refused(400, `error converting input for field "${name}": expected type '${expected}'`);
}

export function textField(data: Data, name: string): string | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return unreadable(name, "string");
}

export function intField(data: Data, name: string): number | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
  return unreadable(name, "int");
}

export function boolField(data: Data, name: string): boolean | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string" && /^(?:1|t|true|0|f|false)$/i.test(value))
    return /^(?:1|t|true)$/i.test(value);
  return unreadable(name, "bool");
}

export function mapField(data: Data, name: string): Record<string, unknown> | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "object" && !Array.isArray(value)) return { ...value };
  return unreadable(name, "map");
}

/** Lists may come as one text with commas. */
export function listField(data: Data, name: string): readonly string[] | undefined {
  const value = data[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value === "" ? [] : value.split(",").map((one) => one.trim());
  if (Array.isArray(value)) return value.map((one) => String(one));
  return unreadable(name, "slice");
}

export function intListField(data: Data, name: string): readonly number[] {
  const value = data[name];
  const list = typeof value === "number" ? [value] : (listField(data, name) ?? []).map(Number);
  return list.every(Number.isInteger) ? list : unreadable(name, "int slice");
}

/** Seconds: a number, digits, or a duration such as `1h30m`. */
export function secondsField(data: Data, name: string): number | undefined {
  const value = data[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "number") return Math.trunc(value);
  return typeof value === "string"
    ? (parseSeconds(value) ?? unreadable(name, "duration"))
    : unreadable(name, "duration");
}

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

export function parseSeconds(text: string): number | null {
  if (/^-?\d+$/.test(text)) return Number(text);
  const sign = text.startsWith("-") ? -1 : 1;
  const rest = text.replace(/^[-+]/, "");
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(rest)) return null;
  let seconds = 0;
  for (const [, number = "0", unit = "s"] of rest.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    seconds += Number(number) * (UNITS[unit] ?? 1);
  return sign * Math.trunc(seconds);
}

/** Go's Duration: `1h0m0s`, `90s` as `1m30s`, `0s`. */
export function goDuration(seconds: number): string {
  const sign = seconds < 0 ? "-" : "";
  const whole = Math.abs(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return `${sign}${h}h${m}m${s}s`;
  return m > 0 ? `${sign}${m}m${s}s` : `${sign}${s}s`;
}

/** As warnings say it: without zero parts at the end. */
export function humanDuration(seconds: number): string {
  let text = goDuration(seconds);
  if (text.endsWith("m0s")) text = text.slice(0, -2);
  return text.replace("h0m", "h");
}
