/**
 * The secret's value out of what stands at a place: the template read backwards. Only a template that names the plain
 * value once can be; several fields cannot be told apart.
 */
import { PLAIN_FIELD } from "../secret.ts";
import { SecretValue } from "../secret-value.ts";

const SLOT = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

export function extractValue(text: SecretValue, template: string | null): SecretValue | null {
  if (template === null) return text;
  const [slot, ...more] = template.matchAll(SLOT);
  if (slot === undefined || more.length > 0 || slot[1] !== PLAIN_FIELD) return null;
  const before = template.slice(0, slot.index);
  const after = template.slice(slot.index + slot[0].length);
  const value = text.reveal();
  const long = value.length > before.length + after.length;
  if (!long || !value.startsWith(before) || !value.endsWith(after)) return null;
  return SecretValue.of(value.slice(before.length, value.length - after.length));
}
