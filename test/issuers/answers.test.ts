/** What token endpoints answer: nothing that they gave is lost by how we read it, and a refusal is one in any clothes. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IssuerAnswer } from "../../src/adapters/issuers/ask-issuer.ts";
import { readTokenAnswer } from "../../src/adapters/issuers/oauth2/read-answer.ts";
import { keepSuccessorIn } from "../../src/adapters/issuers/successor.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { issueSchema, type OAuth2Issue } from "../../src/protocol/issue.ts";

const OLD = "canary-refresh-old";
const NEW = "canary-refresh-new";
const GOOD = { access_token: "access", token_type: "Bearer", expires_in: 300, refresh_token: NEW };

const spec = (more: object = {}) =>
  issueSchema.parse({
    oauth2: {
      tokenUrl: "https://id.example.com/token",
      clientId: "us",
      clientSecret: "CLIENT_SECRET",
      refreshToken: "REFRESH",
      ...more,
    },
  }).oauth2 as OAuth2Issue;
const whole = (body: unknown, status = 200): IssuerAnswer => ({
  status,
  body: typeof body === "string" ? body : JSON.stringify(body),
  retryAfterMs: null,
  cut: null,
});

async function keptOf(answer: IssuerAnswer, pointer?: string): Promise<string | null> {
  const kept: string[] = [];
  await keepSuccessorIn(answer, OLD, async (one) => void kept.push(one.reveal()), pointer);
  expect(kept.length).toBeLessThanOrEqual(1);
  return kept[0] ?? null;
}

function failureIn(answer: IssuerAnswer, more: object = {}): LockstepError {
  try {
    readTokenAnswer(spec(more), answer);
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain("canary");
    return error;
  }
  throw new Error("it did not fail");
}

describe("a success that is not by the letter", () => {
  it.each([
    ["an ID token of another issuer", { ...GOOD, id_token: "e30.eyJpc3MiOiJodHRwczovL2lkL3JlYWxtcy94In0.x" }],
    ["no token type", { ...GOOD, token_type: undefined }],
    ["another token type", { ...GOOD, token_type: "bot" }],
    ["scopes as a list", { ...GOOD, scope: ["read", "write"] }],
    ["null and empty where nothing is said", { ...GOOD, scope: null, id_token: "", error: null }],
    ["fields of its own", { ...GOOD, ok: true, team: { id: "T1" }, status: "success", code: 0 }],
    ["everything one level deeper", { ok: true, authed_user: { id: "U1", ...GOOD } }],
    ["everything in a list", [{ ...GOOD }]],
    ["other spellings", { accessToken: "access", refreshToken: NEW, expiresIn: 300 }],
    ["an envelope", { code: 0, message: "success", data: GOOD }],
    ["seconds as text", { ...GOOD, expires_in: "300" }],
  ])("gives its token and its refresh token: %s", async (_what, body) => {
    const answer = whole(body);
    expect(await keptOf(answer)).toBe(NEW);
    const { value, life } = readTokenAnswer(spec(), answer);
    expect(value.reveal()).toBe("access");
    expect(life).toEqual({ kind: "for", ms: 300_000 });
  });

  it.each([200, 201, 202, 203])("is one with the status %i", async (status) => {
    expect(await keptOf(whole(GOOD, status))).toBe(NEW);
    expect(readTokenAnswer(spec(), whole(GOOD, status)).value.reveal()).toBe("access");
  });

  it("may be a form", async () => {
    const answer = whole(`access_token=access&expires_in=300&refresh_token=${NEW}&token_type=bearer`);
    expect(await keptOf(answer)).toBe(NEW);
    expect(readTokenAnswer(spec(), answer).life).toEqual({ kind: "for", ms: 300_000 });
  });

  it("gives its refresh token whatever else it holds", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), async (around) => {
        expect(await keptOf(whole({ ...around, refresh_token: NEW }))).toBe(NEW);
        expect(await keptOf(whole({ data: { ...around, refresh_token: NEW } }))).toBe(NEW);
      }),
    );
  });

  it.each([
    ["no access token", { refresh_token: NEW }],
    ["an access token of another kind", { ...GOOD, access_token: 7 }],
    [
      "two access tokens, neither at its top",
      { bot: { access_token: "a" }, user: { access_token: "b" }, refresh_token: NEW },
    ],
    ["a token and an error", { ...GOOD, error: "server_error" }],
    [
      "two answers that came as one",
      `${JSON.stringify({ ...GOOD, refresh_token: "first" })}${JSON.stringify(GOOD)}`,
    ],
    ["text around it", `<!-- ok -->${JSON.stringify(GOOD)}`],
    ["the refresh token in an object", { refreshToken: { token: NEW, expiresAt: 1 } }],
  ])("gives its refresh token though its token is of no use: %s", async (_what, body) => {
    const answer = whole(body);
    expect(await keptOf(answer)).toBe(NEW);
    expect(["ISSUER_ANSWER", "ISSUER_REFUSED"]).toContain(failureIn(answer).code);
  });

  it("that is cut off gives what had come whole", async () => {
    const cut = new LockstepError(
      "ISSUER_OUTCOME_UNKNOWN",
      "Cannot get a token: its answer ended too early.",
    );
    const text = JSON.stringify({ refresh_token: `${NEW}"\\ü`, access_token: "access" });
    expect(await keptOf({ ...whole(text.slice(0, -5)), cut })).toBe(`${NEW}"\\ü`);
    expect(failureIn({ ...whole(text.slice(0, -5)), cut })).toBe(cut);
    expect(await keptOf({ ...whole(text.slice(0, 30)), cut })).toBeNull();
    // What is not whole refuses nothing.
    expect(failureIn({ ...whole({ error: "invalid_grant" }, 400), cut })).toBe(cut);
  });

  it("that repeats the used one, beside a new one or alone, replaces nothing by it", async () => {
    expect(await keptOf(whole({ ...GOOD, refresh_token: OLD }))).toBeNull();
    expect(await keptOf(whole({ request: { refresh_token: OLD }, ...GOOD }))).toBe(NEW);
    expect(await keptOf(whole({ ...GOOD, refresh_token: null }))).toBeNull();
    expect(await keptOf(whole({ ...GOOD, refresh_token: "" }))).toBeNull();
  });

  it("is read where the configuration says", async () => {
    expect(await keptOf(whole({ next: { credential: NEW } }), "/next/credential")).toBe(NEW);
    expect(await keptOf(whole({ next: {} }), "/next/credential")).toBeNull();
  });
});

describe("a refusal", () => {
  it.each([
    ["the standard's", 400, { error: "invalid_grant", error_description: "canary" }],
    ["GitHub's", 200, { error: "bad_refresh_token", error_description: "canary" }],
    ["GitHub's, as a form", 200, "error=bad_refresh_token&error_description=canary"],
    ["Slack's", 200, { ok: false, error: "invalid_refresh_token" }],
    ["HubSpot's", 400, { status: "BAD_REFRESH_TOKEN", message: "canary" }],
    ["an object's", 400, { error: { code: "refresh_token_expired", message: "canary" } }],
    ["one with a server's status", 500, { error: "invalid_grant" }],
  ])("says that the refresh token is gone: %s", async (_whose, status, body) => {
    const failure = failureIn(whole(body, status));
    expect(failure.code).toBe("ISSUER_GRANT_GONE");
    expect(failure.hint).toContain("`lockstep secret set REFRESH`");
    expect(await keptOf(whole(body, status))).toBeNull();
  });

  it.each([
    ["a request that it does not like", 400, { error: "invalid_request" }, "400 (invalid_request)"],
    [
      "a success that is none",
      200,
      { error: "incorrect_client_credentials" },
      "200 (incorrect_client_credentials)",
    ],
    ["a plain no", 200, { ok: false }, "200, and says no"],
    ["a body that says nothing", 401, "canary", "it answered 401"],
    ["an error that is no code", 403, { error: "canary: said" }, "it answered 403"],
  ])("is told by its code alone: %s", (_what, status, body, words) => {
    const failure = failureIn(whole(body, status));
    expect(failure.code).toBe("ISSUER_REFUSED");
    expect(failure.message).toContain(words);
  });

  it.each(["<html><body>Sign in: canary</body></html>", "", "null", "OK", "{}", "[]", '{"access_token":""}'])(
    "in the clothes of a success is no token: %s",
    async (body) => {
      expect(failureIn(whole(body)).code).toBe("ISSUER_ANSWER");
      expect(await keptOf(whole(body))).toBeNull();
    },
  );

  it("never replaces the refresh token, whatever it repeats", async () => {
    for (const status of [302, 400, 401, 500, 502])
      expect(await keptOf(whole({ error: "x", refresh_token: "canary***" }, status))).toBeNull();
  });

  it("of a client with Basic names the other way of authenticating", () => {
    const body = { error: "invalid_client" };
    expect(failureIn(whole(body, 401)).message).toContain("`authentication: client_secret_post`");
    expect(failureIn(whole("", 401)).message).toContain("`authentication: client_secret_post`");
    for (const more of [{ authentication: "client_secret_post" }, { clientSecret: undefined }])
      expect(failureIn(whole(body, 401), more).message).not.toContain("client_secret_post");
  });

  it("by a limit waits, whatever its body says", () => {
    expect(failureIn({ ...whole({ error: "slow_down" }, 429), retryAfterMs: 7_000 })).toMatchObject({
      code: "ISSUER_LIMITED",
      retryAfterMs: 7_000,
    });
  });
});
