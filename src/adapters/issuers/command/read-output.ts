/**
 * What a program printed, as a token or as a refusal in words. A program that says something more (a banner, a
 * warning, a colour, a label) would otherwise have that brought to every place as the new token.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Issued, IssuedLife } from "../../../core/ports/issuer.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { allObjects } from "../fields.ts";
import { isSaid, lifeFor, lifeIn } from "../life.ts";

const JSON_FORM = '`{"token": "…", "expiresIn": seconds}`';
/** What programs print for nothing. */
const NOTHING = /^(?:null|nil|none|undefined|nan|true|false|ok|error|failed|\[\]|-+|%+|#+)$/i;
/** `token: …`, `export API_TOKEN=…`, `access_token=…`. */
const LABEL = /^(?:export\s+)?[A-Za-z_-]*(?:token|secret|password|passwd|bearer|key|jwt)[A-Za-z_-]*[:=]./i;
const REFRESH = /^refresh[_-]?token$/i;

/** A token alone, or JSON: `{"token": "…", "expiresIn": seconds}`. Throws ISSUER_ANSWER, without what was printed. */
export function readOutput(program: string, output: Buffer, life: string | undefined): Issued {
  const text = textOf(program, output);
  if (text.startsWith("{")) return readJson(program, text, life);
  const why = notToken(text);
  if (why !== null) throw unusable(program, why);
  return { value: SecretValue.of(text), life: lifeFor(life) };
}

function textOf(program: string, output: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(output).replace(/\n+$/, "");
  } catch {
    throw unusable(program, "it is no text in UTF-8");
  }
}

/** Null: it is one word, which nothing speaks against. */
function notToken(text: string): string | null {
  if (text === "") return "it prints nothing";
  if (text.startsWith("\uFEFF")) return "it begins with a byte order mark";
  if (text.includes("\u001b")) return "it prints colours or other terminal sequences";
  if (text.includes("\r")) return "it prints carriage returns";
  if (text.includes("\n")) return "it prints several lines";
  if (/\s/.test(text)) return "it prints several words, or a space beside the token";
  if (!/^[\x21-\x7e]+$/.test(text)) return "it prints what is not visible ASCII";
  if (LABEL.test(text)) return "it prints a name before the token";
  if (/^(["'`]).*\1$/.test(text) || /^[[<]/.test(text))
    return "it prints quotes or brackets around the token";
  return NOTHING.test(text) ? "it prints a word that stands for nothing" : null;
}

function readJson(program: string, text: string, life: string | undefined): Issued {
  const fields = parsed(program, text);
  const { token, expiresIn } = fields;
  if (typeof token !== "string" || token === "")
    throw unusable(program, "it is neither a token nor the JSON of one");
  // It has no place here, and lost without a word it would lock somebody out.
  if (allObjects(fields).some((one) => Object.keys(one).some((key) => REFRESH.test(key) && isSaid(one[key]))))
    throw unusable(program, "it gives a refresh token too, which the program must keep itself");
  const said: IssuedLife = isSaid(expiresIn) ? lifeIn(expiresIn) : lifeFor(life);
  return { value: SecretValue.of(token), life: said };
}

function parsed(program: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw unusable(program, "it is neither a token nor the JSON of one");
  }
}

function unusable(program: string, why: string): LockstepError {
  return new LockstepError("ISSUER_ANSWER", `Cannot use what ${program} prints: ${why}.`, {
    hint: `Have it print one token and nothing else to stdout, or ${JSON_FORM}; everything else belongs to stderr.`,
  });
}
