/**
 * The last line behind everything that redacts by construction: removes values that are in use from text on its way
 * to any sink, in every form that `value-forms.ts` knows.
 *
 * It knows a value from the moment it is opened until enough others were opened after it (`maxValues`, `maxCharacters`
 * of forms). Its cost follows the length of the text, not the number of values: forms are found by their first
 * characters. What remains: values under `MIN_FORM_LENGTH` characters, and values cut or encoded in other ways.
 */
import { formsOf, MIN_FORM_LENGTH } from "./value-forms.ts";

const REPLACEMENT = "[scrubbed]";

export interface Scrubber {
  /** Remembers a value, in memory alone. */
  know(value: string): void;
  scrub(text: string): string;
}

export interface ScrubberLimits {
  readonly maxValues: number;
  readonly maxCharacters: number;
}

const LIMITS: ScrubberLimits = { maxValues: 5_000, maxCharacters: 8_000_000 };

export function createScrubber({ maxValues, maxCharacters }: ScrubberLimits = LIMITS): Scrubber {
  /** Value → its forms; the longest known first. */
  const known = new Map<string, readonly string[]>();
  /** First characters → forms that begin with them, each with the number of values that it belongs to. */
  const index = new Map<string, Map<string, number>>();
  let characters = 0;

  const add = (value: string, forms: readonly string[]): void => {
    known.set(value, forms);
    for (const form of forms) {
      characters += form.length;
      const head = form.slice(0, MIN_FORM_LENGTH);
      const bucket = index.get(head) ?? new Map<string, number>();
      index.set(head, bucket.set(form, (bucket.get(form) ?? 0) + 1));
    }
  };
  const forget = (value: string): void => {
    const forms = known.get(value) ?? [];
    known.delete(value);
    for (const form of forms) {
      characters -= form.length;
      const head = form.slice(0, MIN_FORM_LENGTH);
      const bucket = index.get(head);
      const owners = (bucket?.get(form) ?? 1) - 1;
      if (owners > 0) bucket?.set(form, owners);
      else bucket?.delete(form);
      if (bucket?.size === 0) index.delete(head);
    }
  };

  return {
    know(value) {
      if (value.length < MIN_FORM_LENGTH) return;
      const forms = known.get(value);
      if (forms !== undefined) {
        // To the end: the one that was not opened for longest is forgotten first.
        known.delete(value);
        known.set(value, forms);
        return;
      }
      add(value, formsOf(value));
      for (const oldest of known.keys()) {
        if (known.size <= maxValues && (characters <= maxCharacters || known.size === 1)) break;
        forget(oldest);
      }
    },

    scrub(text) {
      if (index.size === 0) return text;
      let clean = "";
      let copiedTo = 0;
      // Overlapping finds are one hole: what the first leaves of the second would be a piece of a value.
      let hole: { readonly start: number; end: number } | null = null;
      const last = text.length - MIN_FORM_LENGTH;
      for (let at = 0; at <= last; at += 1) {
        const bucket = index.get(text.slice(at, at + MIN_FORM_LENGTH));
        if (bucket === undefined) continue;
        // Within a hole only what reaches beyond it matters; without this, repetitive text costs its square.
        const length = longestAt(bucket, text, at, hole === null ? 0 : hole.end - at);
        if (length === 0) continue;
        if (hole !== null && at <= hole.end) {
          hole.end = at + length;
          continue;
        }
        if (hole !== null) {
          clean += text.slice(copiedTo, hole.start) + REPLACEMENT;
          copiedTo = hole.end;
        }
        hole = { start: at, end: at + length };
      }
      if (hole === null) return text;
      return clean + text.slice(copiedTo, hole.start) + REPLACEMENT + text.slice(hole.end);
    },
  };
}

/** 0: no form longer than `longerThan` stands there. */
function longestAt(
  bucket: ReadonlyMap<string, number>,
  text: string,
  at: number,
  longerThan: number,
): number {
  let longest = Math.max(0, longerThan);
  let found = 0;
  for (const form of bucket.keys()) {
    if (form.length <= longest || !text.startsWith(form, at)) continue;
    longest = form.length;
    found = longest;
  }
  return found;
}
