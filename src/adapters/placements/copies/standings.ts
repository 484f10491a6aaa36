/** Where values stand in a file, as far as its form is known; in any other text, every word that could be one. Pure. */
import { SecretValue } from "../../../core/secret-value.ts";
import { dotenvFormat } from "../formats/dotenv.ts";
import { jsonFormat } from "../formats/json.ts";
import { plistFormat } from "../formats/plist.ts";

export interface Standing {
  readonly key: string | null;
  readonly value: SecretValue;
  readonly line: number | null;
  readonly alone: boolean;
}

const MAX_WORDS = 5_000;

export function standingsIn(path: string, text: string): readonly Standing[] {
  const keyed = /\.plist(?:\.\w+)?$/.test(path)
    ? byKey(text, plistFormat)
    : /\.json5?(?:\.\w+)?$/.test(path)
      ? byKey(text, jsonFormat)
      : assignmentsIn(text, dotenvFormat);
  const told = new Set(keyed.map(({ value }) => value.reveal()));
  return [...keyed, ...words(text).filter(({ value }) => !told.has(value.reveal()))];
}

function byKey(text: string, format: typeof jsonFormat): readonly Standing[] {
  try {
    const keys = format.keys?.(text) ?? [];
    return [...format.read(text, keys)].map(([key, value]) => ({
      key,
      value: SecretValue.of(value),
      line: lineOf(text, text.indexOf(value)),
      alone: false,
    }));
  } catch {
    // Not in the form that its name promises: its words are looked at.
    return [];
  }
}

/** In a file of lines, as the readers of its format see it; what is not certain is looked at word by word alone. */
export function assignmentsIn(
  text: string,
  format: typeof dotenvFormat,
): readonly (Standing & { readonly key: string })[] {
  const sure = (format.assignments?.(text) ?? []).filter(({ doubt }) => doubt === undefined);
  return sure.map(({ key, value, start, end }) => {
    const written = text.slice(start, end);
    return {
      key,
      value: SecretValue.of(value),
      line: lineOf(text, start),
      alone: !written.includes("\n") && !/[;&|]/.test(written.replaceAll(value, "")),
    };
  });
}

/** Between blanks, quotes and brackets; also what follows a `=` or `:`, whole blocks of PEM, and the whole text. */
function words(text: string): readonly Standing[] {
  const found = new Map<string, number>();
  const add = (word: string, at: number) => {
    if (word !== "" && !found.has(word) && found.size < MAX_WORDS) found.set(word, at);
  };
  add(text.trim(), 0);
  // A key that somebody pasted, with quotes or without.
  for (const { 0: block, index } of text.matchAll(/-----BEGIN [^-\r\n]+-----[^-]+-----END [^-\r\n]+-----/g)) {
    add(block, index);
    add(`${block}\n`, index);
  }
  for (const { 0: word, index } of text.matchAll(/[^\s"'`,;(){}[\]<>|&]+/g)) {
    add(word, index);
    for (const { index: at } of word.matchAll(/[=:]/g)) add(word.slice(at + 1), index);
  }
  return [...found].map(([word, at]) => ({
    key: null,
    value: SecretValue.of(word),
    line: lineOf(text, at),
    alone: false,
  }));
}

function lineOf(text: string, at: number): number | null {
  return at < 0 ? null : text.slice(0, at).split("\n").length;
}
