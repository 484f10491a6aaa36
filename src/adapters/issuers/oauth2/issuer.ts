/**
 * OAuth 2.0: client credentials, and refresh tokens that may be replaced with every use (RFC 6749, 9700). The request is
 * made here, and its answer read here: a client library refuses a whole answer for one field of it, and with it the new
 * refresh token, which cannot be had again.
 */

import type { JsonObject } from "../../../core/json.ts";
import type { IssueRequest, Issuer } from "../../../core/ports/issuer.ts";
import type { OAuth2Issue } from "../../../protocol/issue.ts";
import type { Connect } from "../../outgoing/dial.ts";
import { askIssuer, type IssuerQuestion, originOf } from "../ask-issuer.ts";
import { keepSuccessorIn } from "../successor.ts";
import { readTokenAnswer } from "./read-answer.ts";

const specOf = (config: JsonObject) => config as unknown as OAuth2Issue;

export function createOAuth2Issuer(connect: Connect): Issuer {
  return {
    kind: "oauth2",
    inputs: (config) => {
      const { clientSecret, refreshToken } = specOf(config);
      return [clientSecret, refreshToken].filter((name) => name !== undefined);
    },
    origin: (config) => originOf(specOf(config).tokenUrl),
    perMinute: (config) => specOf(config).perMinute,
    singleUse: (config) => specOf(config).refreshToken ?? null,
    async issue({ config, inputs, hide, keep }, signal) {
      const spec = specOf(config);
      const used = inputOf(inputs, spec.refreshToken);
      const answer = await askIssuer(connect, question(spec, inputs), signal);
      if (used !== null) await keepSuccessorIn(answer, used, keep);
      const issued = readTokenAnswer(spec, answer);
      hide(issued.value);
      return issued;
    },
  };
}

function question(spec: OAuth2Issue, inputs: IssueRequest["inputs"]): IssuerQuestion {
  const { tokenUrl: url, clientId, authentication, scope, resource, audience, timeoutSeconds } = spec;
  const secret = inputOf(inputs, spec.clientSecret);
  const refresh = inputOf(inputs, spec.refreshToken);
  const isBasic = secret !== null && authentication === "client_secret_basic";
  const parameters = {
    grant_type: refresh === null ? "client_credentials" : "refresh_token",
    refresh_token: refresh,
    scope,
    resource,
    audience,
    ...(isBasic ? {} : { client_id: clientId, client_secret: secret }),
  };
  const said = Object.entries(parameters).flatMap(([name, text]): [string, string][] =>
    text === null || text === undefined ? [] : [[name, text]],
  );
  return {
    url,
    method: "POST",
    headers: {
      Accept: "application/json",
      "User-Agent": "lockstep",
      "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
      ...(isBasic ? { Authorization: basic(clientId, secret) } : {}),
    },
    body: Buffer.from(new URLSearchParams(said).toString()),
    timeoutSeconds,
    caCertificate: spec.caCertificate,
  };
}

/** Each part is form-encoded first (RFC 6749, 2.3.1). */
function basic(clientId: string, secret: string): string {
  return `Basic ${Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString("base64")}`;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

/** Null where the configuration names none. */
function inputOf(inputs: IssueRequest["inputs"], name: string | undefined): string | null {
  return name === undefined ? null : (inputs.get(name)?.versions[0]?.value.reveal() ?? "");
}
