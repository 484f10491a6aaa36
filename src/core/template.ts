/** Renders what a binding stores from a version's fields: `postgres://{{user}}:{{password}}@db`. Pure. */
import { LockstepError } from "./errors.ts";
import { PLAIN_FIELD } from "./secret.ts";
import { SecretValue } from "./secret-value.ts";

const SLOT = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

export function templateFields(template: string): readonly string[] {
  return [...template.matchAll(SLOT)].map((match) => match[1] ?? "");
}

/** Throws VALUE_INVALID when the version lacks a field that the template names. */
export function renderFields(fields: ReadonlyMap<string, SecretValue>, template: string | null): SecretValue {
  if (template === null) return fieldOf(fields, PLAIN_FIELD);
  return SecretValue.of(template.replaceAll(SLOT, (_, name: string) => fieldOf(fields, name).reveal()));
}

function fieldOf(fields: ReadonlyMap<string, SecretValue>, name: string): SecretValue {
  const value = fields.get(name);
  if (value === undefined) {
    throw new LockstepError("VALUE_INVALID", `Cannot render a binding: the version has no field "${name}".`, {
      hint: "Set the secret with every field that its bindings' templates name.",
    });
  }
  return value;
}
