/**
 * Finds the new refresh token in an answer, wherever it stands and however much else is wrong: once a provider has acted,
 * it may be the only one that is still good. Also in an answer that is cut off, or is no JSON.
 */
import type { IssueRequest } from "../../core/ports/issuer.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { IssuerAnswer } from "./ask-issuer.ts";
import { allObjects, at, fieldsOf, textOf } from "./fields.ts";

const REFRESH = "refreshtoken";
/** As JSON writes it, whole. */
const IN_TEXT = /"refresh_?token"\s*:\s*("(?:[^"\\\p{Cc}]|\\.)+")/giu;

/**
 * Has it kept. Only what a success brings counts: a refusal may repeat the used one, or show it masked. `pointer`: where
 * it stands; absent: under its usual names.
 */
export async function keepSuccessorIn(
  answer: IssuerAnswer,
  used: string,
  keep: IssueRequest["keep"],
  pointer?: string,
): Promise<void> {
  if (answer.status < 200 || answer.status >= 300) return;
  const found = successorsIn(answer.body, pointer).find((one) => one !== used);
  if (found !== undefined) await keep(SecretValue.of(found));
}

function successorsIn(body: string, pointer: string | undefined): readonly string[] {
  const fields = fieldsOf(body);
  if (fields !== undefined) {
    const pointed = pointer === undefined ? null : textOf(at(fields, pointer));
    return pointed === null ? allObjects(fields).flatMap((one) => named(one)) : [pointed];
  }
  // Of two answers that came as one, the later is the one that counts.
  return [...body.matchAll(IN_TEXT)].map(([, text]) => unquoted(text ?? '""')).reverse();
}

/** Also of `{"refreshToken": {"token": "…"}}`. */
function named(object: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(object).flatMap(([key, value]) => {
    if (key.replaceAll(/[_-]/g, "").toLowerCase() !== REFRESH) return [];
    const inner = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    const text = textOf(value) ?? textOf(inner["token"]) ?? textOf(inner["value"]);
    return text === null ? [] : [text];
  });
}

function unquoted(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    return "";
  }
}
