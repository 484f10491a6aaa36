/**
 * What a token endpoint answered: a token, or why there is none. The forms of RFC 6749 and those that large providers use
 * instead. What a provider must also send by the letter (a token type, an ID token of a certain issuer) is nobody's
 * matter here: the access token goes to who uses it, and is judged there.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Issued } from "../../../core/ports/issuer.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import type { OAuth2Issue } from "../../../protocol/issue.ts";
import { errorByStatus, type IssuerAnswer, issuerError, originOf } from "../ask-issuer.ts";
import { allObjects, fieldsOf } from "../fields.ts";
import { isSaid, lifeFor, lifeIn, lifeUntil } from "../life.ts";

type Fields = Readonly<Record<string, unknown>>;

const ERROR_CODE = /^[A-Za-z][A-Za-z_]{0,39}$/;
/** Where answers keep the code of what went wrong. */
const CODE_KEYS = ["error", "error_code", "errorCode", "code", "type", "status", "reason"];
/**
 * A refresh token that is not good any more: `invalid_grant` (RFC 6749, 5.2), `bad_refresh_token` (GitHub, HubSpot),
 * `invalid_refresh_token` (Slack), and the like.
 */
const GONE =
  /^invalid_grant$|(?:bad|invalid|expired|revoked|used|unknown|missing)_?refresh_?token|refresh_?token_?(?:is_)?(?:bad|invalid|expired|revoked|used|unknown|not_?found|reused?)/i;
const NOT_CLIENT = "invalid_client";

/** Throws what the port promises. */
export function readTokenAnswer(spec: OAuth2Issue, answer: IssuerAnswer): Issued {
  const { tokenUrl } = spec;
  const fields = fieldsOf(answer.body);
  if (answer.cut !== null) throw answer.cut;
  const { isOne, codes } = refusalIn(fields);
  if (isOne || errorByStatus(tokenUrl, answer) !== null) throw refused(spec, answer, codes);
  const holders = holdersOf(fields);
  const [holder] = holders;
  if (holder === undefined)
    throw issuerError("ISSUER_ANSWER", tokenUrl, "its answer is none of a token endpoint");
  if (new Set(holders.map(accessIn)).size > 1)
    throw issuerError("ISSUER_ANSWER", tokenUrl, "its answer holds several tokens, and none at its top");
  return { value: SecretValue.of(accessIn(holder) ?? ""), life: lifeOf(holder, spec) };
}

/** At the top, where the standard has it; otherwise deeper (Slack: `authed_user`). */
function holdersOf(fields: unknown): readonly Fields[] {
  const all = allObjects(fields);
  const [top] = all;
  if (top !== undefined && top === fields && accessIn(top) !== null) return [top];
  return all.filter((one) => accessIn(one) !== null);
}

function accessIn(fields: Fields): string | null {
  const token = isSaid(fields["access_token"]) ? fields["access_token"] : fields["accessToken"];
  return typeof token === "string" && token !== "" ? token : null;
}

function lifeOf(fields: Fields, { life }: OAuth2Issue) {
  const inSeconds = [fields["expires_in"], fields["expiresIn"]].find(isSaid);
  if (inSeconds !== undefined) return lifeIn(inSeconds);
  const until = [fields["expires_at"], fields["expiresAt"], fields["expires_on"]].find(isSaid);
  return until === undefined ? lifeFor(life) : lifeUntil(until);
}

interface Refusal {
  readonly isOne: boolean;
  /** Descriptions are the provider's own text. */
  readonly codes: readonly string[];
}

/** An `error`, also inside a success (GitHub); `ok: false` (Slack); or a code that says that the refresh token is gone. */
function refusalIn(fields: unknown): Refusal {
  const [top] = allObjects(fields);
  if (top === undefined || top !== fields) return { isOne: false, codes: [] };
  const { error } = top;
  const inner = typeof error === "object" && error !== null ? (error as Fields) : {};
  const codes = [top, inner]
    .flatMap((place) => CODE_KEYS.map((key) => place[key]))
    .filter((code): code is string => typeof code === "string" && ERROR_CODE.test(code));
  const isOne = (isSaid(error) && error !== false) || top["ok"] === false || top["success"] === false;
  if (isOne) return { isOne, codes };
  const gone = holdersOf(fields).length > 0 ? [] : codes.filter((code) => GONE.test(code));
  return { isOne: gone.length > 0, codes: gone };
}

function refused(spec: OAuth2Issue, answer: IssuerAnswer, codes: readonly string[]): LockstepError {
  const { tokenUrl, refreshToken } = spec;
  if (refreshToken !== undefined && codes.some((code) => GONE.test(code)))
    return new LockstepError(
      "ISSUER_GRANT_GONE",
      `Cannot get a token from ${originOf(tokenUrl)}: ${refreshToken} is not valid there any more.`,
      { hint: `Sign in there anew and set it: \`lockstep secret set ${refreshToken}\`.` },
    );
  const byStatus = errorByStatus(tokenUrl, answer);
  if (byStatus !== null && (answer.status >= 500 || answer.status === 429)) return byStatus;
  const [said] = codes;
  const undecoded = said?.toLowerCase() === NOT_CLIENT || answer.status === 401 ? undecodedHint(spec) : "";
  if (said !== undefined || undecoded !== "")
    return issuerError(
      "ISSUER_REFUSED",
      tokenUrl,
      `it answered ${answer.status}${said === undefined ? "" : ` (${said})`}${undecoded}`,
    );
  return byStatus ?? issuerError("ISSUER_REFUSED", tokenUrl, `it answered ${answer.status}, and says no`);
}

/** RFC 6749, 2.3.1 encodes both before they are joined; many providers do not decode them. */
function undecodedHint({ clientSecret, authentication }: OAuth2Issue): string {
  return clientSecret === undefined || authentication !== "client_secret_basic"
    ? ""
    : "; where the client's secret is right, it may read it undecoded: say `authentication: client_secret_post`";
}
