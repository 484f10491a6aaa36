/**
 * OAuth 2.0: client credentials, and refresh tokens that may be replaced with every use (RFC 6749, 9700). The grants are
 * openid-client's; the line to the provider is ours, so that the rules for outgoing requests hold and nothing foreign
 * passes.
 */
import {
  allowInsecureRequests,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  clientCredentialsGrant,
  customFetch,
  None,
  refreshTokenGrant,
} from "openid-client";
import { LockstepError } from "../../../core/errors.ts";
import type { IssueRequest, Issuer } from "../../../core/ports/issuer.ts";
import type { JsonObject } from "../../../core/ports/target.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import type { OAuth2Issue } from "../../../protocol/issue.ts";
import type { Connect } from "../../outgoing/dial.ts";
import { askIssuer, errorByStatus, type IssuerAnswer, issuerError, originOf } from "../ask-issuer.ts";
import { lifeFor } from "../life.ts";

const specOf = (config: JsonObject) => config as unknown as OAuth2Issue;
/** What the provider says of a refresh token that is not good any more (RFC 6749, 5.2). */
const GONE = "invalid_grant";
const OAUTH_ERROR = /^[a-z_]{1,40}$/;

export function createOAuth2Issuer(connect: Connect): Issuer {
  return {
    kind: "oauth2",
    inputs: (config) => {
      const { clientSecret, refreshToken } = specOf(config);
      return [clientSecret, refreshToken].filter((name) => name !== undefined);
    },
    origin: (config) => originOf(specOf(config).tokenUrl),
    singleUse: (config) => specOf(config).refreshToken ?? null,
    async issue(request, signal) {
      const spec = specOf(request.config);
      const line = new Line(connect, spec, signal);
      const answer = await line.through(() => grant(spec, request.inputs, line));
      const { access_token: token, refresh_token: refresh, expires_in: seconds } = answer;
      const value = SecretValue.of(token);
      request.hide(value);
      const used = spec.refreshToken === undefined ? undefined : inputOf(request.inputs, spec.refreshToken);
      const replacement =
        refresh === undefined || refresh === used || used === undefined ? null : SecretValue.of(refresh);
      if (replacement !== null) request.hide(replacement);
      return { value, life: lifeFor(typeof seconds === "number" ? seconds : null, spec.life), replacement };
    },
  };
}

/** The provider, as far as one request reaches. Keeps the last answer, by which errors are told in our own words. */
class Line {
  readonly #connect: Connect;
  readonly #spec: OAuth2Issue;
  readonly #signal: AbortSignal;
  #answer: IssuerAnswer | null = null;
  #failure: LockstepError | null = null;

  constructor(connect: Connect, spec: OAuth2Issue, signal: AbortSignal) {
    this.#connect = connect;
    this.#spec = spec;
    this.#signal = signal;
  }

  async fetch(
    url: string,
    { method, headers, body }: { method: string; headers: Record<string, string>; body: unknown },
  ) {
    const { timeoutSeconds, caCertificate } = this.#spec;
    try {
      const answer = await askIssuer(
        this.#connect,
        {
          url,
          method,
          headers,
          body: body === undefined || body === null ? null : Buffer.from(String(body)),
          timeoutSeconds,
          caCertificate,
        },
        this.#signal,
      );
      this.#answer = answer;
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    } catch (error) {
      if (error instanceof LockstepError) this.#failure = error;
      throw error;
    }
  }

  /** Throws what the port promises, whatever the library threw. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#answer === null) throw error;
      throw this.#errorOf(this.#answer);
    }
  }

  #errorOf(answer: IssuerAnswer): LockstepError {
    const { tokenUrl, refreshToken } = this.#spec;
    const said = oauthErrorOf(answer.body);
    if (said === GONE && refreshToken !== undefined)
      return new LockstepError(
        "ISSUER_GRANT_GONE",
        `Cannot get a token from ${originOf(tokenUrl)}: ${refreshToken} is not valid there any more.`,
        { hint: `Sign in there anew and set it: \`lockstep secret set ${refreshToken}\`.` },
      );
    if (said !== null && answer.status < 500)
      return issuerError("ISSUER_REFUSED", tokenUrl, `it answered ${answer.status} (${said})`);
    return (
      errorByStatus(tokenUrl, answer) ??
      issuerError("ISSUER_ANSWER", tokenUrl, "its answer is none of a token endpoint")
    );
  }
}

function grant(spec: OAuth2Issue, inputs: IssueRequest["inputs"], line: Line) {
  const { tokenUrl, clientId, clientSecret, authentication, scope, resource, audience, refreshToken } = spec;
  const secret = clientSecret === undefined ? undefined : inputOf(inputs, clientSecret);
  const method =
    secret === undefined
      ? None()
      : authentication === "client_secret_post"
        ? ClientSecretPost(secret)
        : ClientSecretBasic(secret);
  const configuration = new Configuration(
    { issuer: originOf(tokenUrl), token_endpoint: tokenUrl },
    clientId,
    undefined,
    method,
  );
  configuration[customFetch] = (url, options) => line.fetch(url, options);
  // Only ever loopback: the configuration's schema lets no other http through.
  if (tokenUrl.startsWith("http:")) allowInsecureRequests(configuration);
  const parameters = Object.fromEntries(
    Object.entries({ scope, resource, audience }).filter(([, text]) => text !== undefined),
  ) as Record<string, string>;
  return refreshToken === undefined
    ? clientCredentialsGrant(configuration, parameters)
    : refreshTokenGrant(configuration, inputOf(inputs, refreshToken), parameters);
}

function inputOf(inputs: IssueRequest["inputs"], name: string): string {
  return inputs.get(name)?.versions[0]?.value.reveal() ?? "";
}

/** The code alone: descriptions are the provider's own text. */
function oauthErrorOf(body: string): string | null {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" && OAUTH_ERROR.test(error) ? error : null;
  } catch {
    return null;
  }
}
