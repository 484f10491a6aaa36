/**
 * The last line behind everything that redacts by construction: removes values that are in use from text on its way
 * to any sink, in raw, JSON-, URL- and shell-escaped and base64 form.
 *
 * It knows a value from the moment it is opened until `MAX_KNOWN` others were opened after it. Values under
 * `MIN_LENGTH` characters are not searched for: they would turn ordinary words into holes, and give themselves away.
 */
const MIN_LENGTH = 6;
const MAX_KNOWN = 2_000;
const REPLACEMENT = "[scrubbed]";

export interface Scrubber {
  /** Remembers a value, in memory alone. */
  know(value: string): void;
  scrub(text: string): string;
}

export function createScrubber(): Scrubber {
  const known = new Map<string, readonly string[]>();
  return {
    know(value) {
      if (value.length < MIN_LENGTH) return;
      // Again to the end: the oldest is forgotten first.
      const forms = known.get(value) ?? formsOf(value);
      known.delete(value);
      known.set(value, forms);
      const oldest = known.keys().next();
      if (known.size > MAX_KNOWN && oldest.done !== true) known.delete(oldest.value);
    },
    scrub(text) {
      let clean = text;
      for (const forms of known.values()) {
        for (const form of forms) if (clean.includes(form)) clean = clean.replaceAll(form, REPLACEMENT);
      }
      return clean;
    },
  };
}

function formsOf(value: string): readonly string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const base64 = Buffer.from(value).toString("base64");
  const forms = [
    value,
    json,
    // A log line that is JSON itself escapes what was escaped before.
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(toWellFormed(value)),
    value.replaceAll("'", "'\\''"),
    base64.replace(/=+$/, ""),
    base64.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"),
  ];
  // Longest first, so that a form that contains another leaves nothing behind.
  return [...new Set(forms)].sort((left, right) => right.length - left.length);
}

function toWellFormed(text: string): string {
  return Buffer.from(text).toString();
}
