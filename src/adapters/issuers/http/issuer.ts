/** Asks any service over HTTP for a token: a request with secrets in its headers and body, and a JSON answer. */
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { IssuedLife, IssueRequest, Issuer } from "../../../core/ports/issuer.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { fillNames, type HttpIssue, namesIn, refreshOf } from "../../../protocol/issue.ts";
import { bodyEncoding, contentTypeOf } from "../../../protocol/probe.ts";
import type { Connect } from "../../outgoing/dial.ts";
import { askIssuer, errorByStatus, issuerError, originOf } from "../ask-issuer.ts";
import { at } from "../fields.ts";
import { lifeFor, lifeIn, lifeUntil } from "../life.ts";
import { keepSuccessorIn } from "../successor.ts";

const HEADER_VALUE = /^[\x21-\x7e\xa1-\xff](?:[\x20-\x7e\xa1-\xff]*[\x21-\x7e\xa1-\xff])?$/;

const specOf = (config: JsonObject) => config as unknown as HttpIssue;

export function createHttpIssuer(connect: Connect): Issuer {
  return {
    kind: "http",
    inputs: (config) => {
      const { headers, body } = specOf(config);
      return namesIn([...Object.values(headers), body ?? ""].join("\n"));
    },
    origin: (config) => originOf(specOf(config).url),
    perMinute: (config) => specOf(config).perMinute,
    singleUse: (config) => refreshOf(specOf(config))?.secret ?? null,
    async issue({ config, inputs, hide, keep }, signal) {
      const spec = specOf(config);
      const answer = await askIssuer(connect, { ...spec, ...filled(spec, inputs) }, signal);
      const refresh = refreshOf(spec);
      if (refresh !== null) {
        const used = inputs.get(refresh.secret)?.versions[0]?.value.reveal() ?? "";
        await keepSuccessorIn(answer, used, keep, refresh.at);
      }
      const failure = errorByStatus(spec.url, answer);
      if (failure !== null) throw failure;
      const json = parsed(spec.url, answer.body);
      const token = at(json, spec.token);
      if (typeof token !== "string" || token === "")
        throw issuerError("ISSUER_ANSWER", spec.url, `its answer has no text at ${spec.token}`);
      const value = SecretValue.of(token);
      hide(value);
      return { value, life: lifeOf(spec, json) };
    },
  };
}

function filled(
  { headers, body }: HttpIssue,
  inputs: IssueRequest["inputs"],
): { readonly headers: Readonly<Record<string, string>>; readonly body: Buffer | null } {
  const inputOf = (name: string) => inputs.get(name)?.versions[0]?.value.reveal() ?? "";
  const encoding = bodyEncoding(contentTypeOf(headers) ?? "");
  return {
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, headerText(name, fillNames(text, inputOf))]),
    ),
    body:
      body === undefined
        ? null
        : Buffer.from(
            fillNames(body, (name) => {
              const value = inputOf(name);
              if (encoding === "json") return JSON.stringify(value).slice(1, -1);
              return encoding === "form" ? encodeURIComponent(value) : value;
            }),
          ),
  };
}

/** The runtime's own error would quote it. */
function headerText(name: string, text: string): string {
  if (HEADER_VALUE.test(text)) return text;
  throw new LockstepError(
    "ISSUER_REFUSED",
    `Cannot ask the issuer: what goes into the header ${name} is not one line of visible Latin characters.`,
  );
}

function parsed(url: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw issuerError("ISSUER_ANSWER", url, "its answer is not JSON");
  }
}

function lifeOf({ expiresIn, expiresAt, life }: HttpIssue, json: unknown): IssuedLife {
  if (expiresIn !== undefined) return lifeIn(at(json, expiresIn));
  return expiresAt === undefined ? lifeFor(life) : lifeUntil(at(json, expiresAt));
}
