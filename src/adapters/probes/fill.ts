/**
 * Puts a value into a request, written as its context needs: a header holds it bare, a JSON body escaped, a form
 * percent-encoded. What cannot be written so that the other side reads the same is refused in words, without the value:
 * a runtime's own error would quote it.
 */
import type { SecretValue } from "../../core/secret-value.ts";
import { bodyEncoding, contentTypeOf, type HttpProbe, VALUE_MARK } from "../../protocol/probe.ts";

export type Filled =
  | { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer | null }
  | { readonly cannot: string };

/** Spaces at an end are cut on the way; line breaks would begin another header. */
const HEADER_VALUE = /^[\x21-\x7e\xa1-\xff](?:[\x20-\x7e\xa1-\xff]*[\x21-\x7e\xa1-\xff])?$/;
const HALF_CHARACTER = /\p{Surrogate}/u;

export function fill({ headers, body }: HttpProbe, value: SecretValue): Filled {
  const plain = value.reveal();
  const cannot = whyNoText(plain);
  if (cannot !== null) return { cannot };
  const texts = Object.entries(headers);
  if (texts.some(([, text]) => text.includes(VALUE_MARK)) && !HEADER_VALUE.test(plain))
    return { cannot: "the value cannot stand in a header: it is not one line of visible Latin characters" };
  return {
    headers: Object.fromEntries(texts.map(([name, text]) => [name, put(text, plain)])),
    body: body === undefined ? null : Buffer.from(put(body, encoded(plain, contentTypeOf(headers) ?? ""))),
  };
}

/** Another value would be asked about: half a character does not survive being written. Null: it can be sent. */
export function whyNoText(plain: string): string | null {
  if (plain === "") return "the value is empty";
  return HALF_CHARACTER.test(plain) ? "the value is not well-formed text" : null;
}

/** By a function: in a replacement text `$&` and its like have a meaning. */
function put(text: string, value: string): string {
  return text.replaceAll(VALUE_MARK, () => value);
}

function encoded(plain: string, contentType: string): string {
  switch (bodyEncoding(contentType)) {
    case "json":
      return JSON.stringify(plain).slice(1, -1);
    case "form":
      return encodeURIComponent(plain);
    case "raw":
      return plain;
  }
}
