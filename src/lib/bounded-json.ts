/** JSON that others had a say in, cut before it is kept: long texts, long lists, deep nesting. */
import { boundedText } from "./visible-text.ts";

export interface JsonBounds {
  readonly maxText: number;
  /** Of a list, and fields of an object. */
  readonly maxItems: number;
}

const MAX_DEPTH = 8;

/** What does not fit goes from the end; of a list of texts the last one then says how many. */
export function boundedJson<Value>(value: Value, bounds: JsonBounds): Value {
  return bound(value, bounds, 0) as Value;
}

function bound(value: unknown, bounds: JsonBounds, depth: number): unknown {
  if (typeof value === "string") return boundedText(value, bounds.maxText);
  if (typeof value !== "object" || value === null) return value;
  if (depth === MAX_DEPTH) return null;
  const inner = (one: unknown): unknown => bound(one, bounds, depth + 1);
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    if (list.length <= bounds.maxItems) return list.map(inner);
    const kept = list.slice(0, bounds.maxItems - 1).map(inner);
    const isText = list.every((one) => typeof one === "string");
    return isText ? [...kept, `… and ${list.length - kept.length} more`] : kept;
  }
  if (!isPlain(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, bounds.maxItems)
      .map(([name, one]) => [boundedText(name, bounds.maxText), inner(one)]),
  );
}

/** Dates and the like write themselves. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
