/**
 * Every text in which a value could stand in something printed: as it is, and as the usual escapes and encodings
 * leave it. Pure.
 */
import { inspect } from "node:util";

/** Shorter forms are not searched for: they would turn ordinary words into holes, and give themselves away. */
export const MIN_FORM_LENGTH = 6;
/** A line of a longer value is looked for on its own: libraries quote single lines of keys and files. */
const MIN_LINE_LENGTH = 24;
const ARMOUR = /^-----/;

export function formsOf(value: string): readonly string[] {
  const forms = [
    value,
    ...linesOf(value),
    jsonText(value),
    asciiJsonText(value),
    inspect(value).slice(1, -1),
    ...urlForms(value),
    ...shellForms(value),
    ...markupForms(value),
    ...base64Forms(Buffer.from(value)),
  ];
  // A log line is JSON itself and escapes once more what was escaped before.
  const all = new Set([...forms, ...forms.map(jsonText)]);
  return [...all].filter((form) => form.length >= MIN_FORM_LENGTH);
}

function linesOf(value: string): readonly string[] {
  if (!value.includes("\n")) return [];
  return value
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.length >= MIN_LINE_LENGTH && !ARMOUR.test(line));
}

function jsonText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function asciiJsonText(text: string): string {
  return jsonText(text).replaceAll(
    /[^\u0020-\u007e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function urlForms(value: string): readonly string[] {
  // Half a surrogate pair cannot be encoded; it was replaced long before it could stand in an address.
  const text = Buffer.from(value).toString();
  const component = encodeURIComponent(text);
  const strict = component.replaceAll(
    /[!'()*]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const form = new URLSearchParams([["", text]]).toString().slice(1);
  const lower = (encoded: string): string =>
    encoded.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  return [component, strict, form, encodeURI(text), lower(component), lower(strict), lower(form)];
}

function shellForms(value: string): readonly string[] {
  return [
    value.replaceAll("'", "'\\''"),
    value.replaceAll("'", `'"'"'`),
    value.replaceAll(/["\\$`!]/g, "\\$&"),
    value.replaceAll(/["\\$`]/g, "\\$&"),
    value.replaceAll(/[^A-Za-z0-9_@%+=:,./-]/g, "\\$&"),
  ];
}

function markupForms(value: string): readonly string[] {
  const text = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return [text, text.replaceAll('"', "&quot;").replaceAll("'", "&#39;"), text.replaceAll('"', "&#34;")];
}

/**
 * Inside something longer (`user:password`) a value begins at any of three positions within a group of base64; what
 * is searched for are the characters that it decides alone.
 */
function base64Forms(bytes: Buffer): readonly string[] {
  const inner = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    return encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const forms = [bytes.toString("base64"), bytes.toString("base64").replace(/=+$/, ""), ...inner];
  return forms.flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]);
}
