import { createHash, generateKeyPairSync, randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { commandsIn, createCommandIssuer } from "../../../src/adapters/issuers/command/issuer.ts";
import { createHttpIssuer } from "../../../src/adapters/issuers/http/issuer.ts";
import { jwtIssuer } from "../../../src/adapters/issuers/jwt/issuer.ts";
import { signingKey } from "../../../src/adapters/issuers/jwt/keys.ts";
import { createOAuth2Issuer } from "../../../src/adapters/issuers/oauth2/issuer.ts";
import { randomIssuer } from "../../../src/adapters/issuers/random/issuer.ts";
import { createDial } from "../../../src/adapters/outgoing/dial.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { startTokenProvider, type TokenProvider } from "../../support/token-provider.ts";
import { failureOf, issue, issuerConformance, networkIssuerConformance, stored } from "./suite.ts";

const connect = createDial({ ownListeners: () => [] });
// Not below /tmp: what others may write there is never run.
const directory = mkdtempSync(join(homedir(), ".lockstep-issuer-"));
const providers: TokenProvider[] = [];
afterEach(async () => {
  for (const provider of providers.splice(0)) await provider.close().catch(() => undefined);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function provider(answer: (count: number) => object): Promise<TokenProvider> {
  const started = await startTokenProvider(answer);
  providers.push(started);
  return started;
}

issuerConformance("random", () => ({ issuer: randomIssuer, config: { life: "30d" }, inputs: {} }));

const pem = (type: "ed25519" | "ec") =>
  (type === "ec"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("ed25519")
  ).privateKey
    .export({ type: "pkcs8", format: "pem" })
    .toString();

issuerConformance("jwt", () => ({
  issuer: jwtIssuer,
  config: { key: "SIGNING_KEY", algorithm: "HS256", life: "1h" },
  inputs: { SIGNING_KEY: "canary-key-".padEnd(40, "k") },
  spoil: () => ({ inputs: { SIGNING_KEY: "canary" } }),
}));

async function http(config: JsonObject = {}) {
  const started = await provider((count) => ({ token: `issued-${count}`, expires_in: 60 }));
  return {
    issuer: createHttpIssuer(connect),
    provider: started,
    config: {
      url: started.url,
      headers: { Authorization: "Bearer {{ADMIN_TOKEN}}", "Content-Type": "application/json" },
      body: '{"user":"deploy","password":"{{PASSWORD}}"}',
      expiresIn: "/expires_in",
      ...config,
    },
    inputs: { ADMIN_TOKEN: "canary-admin", PASSWORD: 'canary "quoted" \\ ü' },
  };
}
issuerConformance("http", http);
networkIssuerConformance("http", http);

/** It presents a refresh token, and is given the next one. */
async function refreshing(config: JsonObject = {}) {
  const started = await provider((count) => ({
    token: `issued-${count}`,
    expires_in: 60,
    refresh_token: `canary-next-${count}`,
  }));
  return {
    issuer: createHttpIssuer(connect),
    provider: started,
    config: {
      url: started.url,
      headers: { "Content-Type": "application/json" },
      body: '{"refresh_token":"{{REFRESH}}"}',
      expiresIn: "/expires_in",
      ...config,
    },
    inputs: { REFRESH: "canary-refresh" },
  };
}
issuerConformance("http", refreshing);
networkIssuerConformance("http", refreshing);

async function oauth2(config: JsonObject = {}) {
  const started = await provider((count) => ({
    access_token: `access-${count}`,
    token_type: "Bearer",
    expires_in: 300,
    ...("refreshToken" in config ? { refresh_token: `canary-refresh-${count}` } : {}),
  }));
  return {
    issuer: createOAuth2Issuer(connect),
    provider: started,
    config: { tokenUrl: started.url, clientId: "lock:step", clientSecret: "CLIENT_SECRET", ...config },
    inputs: {
      CLIENT_SECRET: "canary secret:with ü",
      ...("refreshToken" in config ? { REFRESH: "canary-refresh" } : {}),
    },
  };
}
issuerConformance("oauth2", () => oauth2());
networkIssuerConformance("oauth2", () => oauth2());
networkIssuerConformance("oauth2", () => oauth2({ refreshToken: "REFRESH" }));

const program = join(directory, "token");
writeFileSync(program, '#!/bin/sh\necho "{\\"token\\":\\"t-$$\\",\\"expiresIn\\":60}"\n', { mode: 0o755 });
issuerConformance("command", () => ({
  issuer: createCommandIssuer(async () => [program]),
  config: { run: [program] },
  inputs: {},
  spoil: () => ({ config: { run: ["/bin/echo", "canary"] } }),
}));

describe("signed tokens", () => {
  it.each([
    ["EdDSA", "ed25519"],
    ["ES256", "ec"],
  ] as const)("%s: are checked with the published keys, older keys included", async (algorithm, type) => {
    const keys = [pem(type), pem(type)];
    const config = stored("jwt", {
      key: "KEY",
      algorithm,
      life: "1h",
      issuer: "lockstep",
      audience: ["api", "web"],
      subject: "deploy",
      claims: { role: "caller" },
    });
    const versions = keys.map((key, index) => ({
      version: 2 - index,
      value: SecretValue.of(key),
      // The newer one was made a minute ago: not everybody knows it yet.
      madeAtMs: Date.now() - (index === 0 ? 60_000 : 86_400_000),
    }));
    const inputs = new Map([["KEY", { versions }]]);
    const issued = await jwtIssuer.issue(
      { config, inputs, nowMs: Date.now, hide: () => undefined, keep: async () => undefined },
      AbortSignal.timeout(5_000),
    );
    const published = (await jwtIssuer.publicKeys?.(config, inputs)) ?? [];
    expect(published.map(({ d, kid }) => [d, typeof kid])).toEqual([
      [undefined, "string"],
      [undefined, "string"],
    ]);
    const { payload, protectedHeader } = await jwtVerify(
      issued.value.reveal(),
      createLocalJWKSet({ keys: published as never }),
      { issuer: "lockstep", audience: "web", subject: "deploy", algorithms: [algorithm] },
    );
    expect(protectedHeader.kid).toBe(published[1]?.["kid"]);
    expect(payload["role"]).toBe("caller");
    expect(issued.life).toEqual({ kind: "until", ms: (payload.exp ?? 0) * 1_000 });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3_600);
  });

  it("are dated back for verifiers whose clocks are behind, and live as long", async () => {
    const one = {
      issuer: jwtIssuer,
      config: { key: "KEY", algorithm: "HS256", life: "1h", backdate: "30s", claims: { ver: "1.10" } },
      inputs: { KEY: "canary-key-".padEnd(40, "k") },
    };
    const { value, life } = await issue(one);
    const payload = JSON.parse(Buffer.from(value.reveal().split(".")[1] ?? "", "base64url").toString());
    expect(payload).toMatchObject({ ver: "1.10", exp: payload.iat + 3_630 });
    expect(life).toEqual({ kind: "until", ms: payload.exp * 1_000 });
    expect(() => stored("jwt", { ...one.config, backdate: "1h" })).toThrow();
  });

  it("are signed with a key only after verifiers had the time to learn it", () => {
    const [old, young] = [{ madeAtMs: 0 }, { madeAtMs: 100 }];
    expect(signingKey([young, old], 110, 15)).toBe(old);
    expect(signingKey([young, old], 115, 15)).toBe(young);
    expect(signingKey([young], 110, 15)).toBe(young);
    expect(signingKey([], 110, 15)).toBeUndefined();
  });

  it("are signed with the new key at once when the one before was none", async () => {
    const config = stored("jwt", { key: "KEY", algorithm: "EdDSA", life: "1h" });
    const versions = [pem("ed25519"), "canary-no-key"].map((text, index) => ({
      version: 2 - index,
      value: SecretValue.of(text),
      madeAtMs: Date.now() - index * 86_400_000,
    }));
    const inputs = new Map([["KEY", { versions }]]);
    const published = (await jwtIssuer.publicKeys?.(config, inputs)) ?? [];
    expect(published).toHaveLength(1);
    const issued = await jwtIssuer.issue(
      { config, inputs, nowMs: Date.now, hide: () => undefined, keep: async () => undefined },
      AbortSignal.timeout(5_000),
    );
    await jwtVerify(issued.value.reveal(), createLocalJWKSet({ keys: published as never }));
  });

  it.each([
    ["another curve", "ES256", pem("ed25519")],
    ["no key", "EdDSA", "canary-no-key"],
    ["a JWK that is none", "EdDSA", '{"kty":"canary"}'],
  ])("are not signed with %s", async (_what, algorithm, key) => {
    const failure = await failureOf({
      issuer: jwtIssuer,
      config: { key: "KEY", algorithm, life: "1h" },
      inputs: { KEY: key },
    });
    expect(failure.code).toBe("ISSUER_REFUSED");
  });
});

describe("a templated request", () => {
  it("writes each value as its place needs", async () => {
    const one = await http();
    await issue(one);
    const [asked] = one.provider.asked;
    expect(asked?.headers.authorization).toBe("Bearer canary-admin");
    expect(JSON.parse(asked?.body ?? "")).toEqual({ user: "deploy", password: one.inputs.PASSWORD });
  });

  it("percent-encodes in a form", async () => {
    const one = await http({
      headers: { "Content-Type": "application/x-www-form-urlencoded", X: "{{ADMIN_TOKEN}}" },
      body: "p={{PASSWORD}}",
    });
    await issue(one);
    expect(new URLSearchParams(one.provider.asked[0]?.body).get("p")).toBe(one.inputs.PASSWORD);
  });

  it.each([
    ["the seconds in its answer", { expiresIn: "/expires_in" }, { kind: "for", ms: 60_000 }],
    ["what the configuration says", { life: "2h" }, { kind: "for", ms: 7_200_000 }],
    ["nothing", {}, null],
  ])("tells the life by %s", async (_what, said: JsonObject, life) => {
    const one = await http();
    const { expiresIn: _, ...config } = one.config as JsonObject & { expiresIn?: unknown };
    expect((await issue({ ...one, config: { ...config, ...said } })).life).toEqual(life);
  });

  it.each([
    ["2027-01-01T00:00:00Z", Date.UTC(2027, 0, 1)],
    [1_800_000_000, 1_800_000_000_000],
  ])("reads the instant %s, deep in the answer", async (expires, ms) => {
    const one = await http();
    one.provider.behaviour = {
      kind: "answer",
      status: 201,
      body: JSON.stringify({ "a/b": [{ "~": { t: "deep" } }], end: { at: expires } }),
    };
    const { expiresIn: _, ...config } = one.config as JsonObject & { expiresIn?: unknown };
    const issued = await issue({
      ...one,
      config: { ...config, token: "/a~1b/0/~0/t", expiresAt: "/end/at" },
    });
    expect(issued.value.reveal()).toBe("deep");
    expect(issued.life).toEqual({ kind: "until", ms });
  });

  it("has what replaces the refresh token that it presents kept, by its name or where the configuration says", async () => {
    const one = await refreshing();
    expect((await issue(one)).replacement?.reveal()).toBe("canary-next-1");
    const named = await refreshing({
      body: "{{REFRESH}}",
      replaces: { secret: "REFRESH", at: "/next/0" },
    });
    expect(named.issuer.singleUse(stored("http", named.config))).toBe("REFRESH");
    named.provider.behaviour = {
      kind: "answer",
      status: 200,
      body: '{"token":"t","expires_in":60,"next":["canary-there"],"refresh_token":"canary-elsewhere"}',
    };
    expect((await issue(named)).replacement?.reveal()).toBe("canary-there");
    const none = await http();
    none.provider.behaviour = {
      kind: "answer",
      status: 200,
      body: '{"token":"t","expires_in":60,"refresh_token":"canary-unasked"}',
    };
    expect((await issue(none)).replacement).toBeNull();
  });

  it("does not reach for what every object has", async () => {
    const one = await http({ token: "/constructor/name" });
    expect((await failureOf(one)).code).toBe("ISSUER_ANSWER");
  });

  it("sends nothing that a header cannot hold, and quotes none of it", async () => {
    const one = await http();
    const failure = await failureOf({
      ...one,
      inputs: { ...one.inputs, ADMIN_TOKEN: "canary\r\nX-Evil: 1" },
    });
    expect(failure.code).toBe("ISSUER_REFUSED");
    expect(one.provider.asked).toEqual([]);
  });

  it("never asks Lockstep itself", async () => {
    const one = await http();
    const port = Number(new URL(one.provider.url).port);
    const careful = createHttpIssuer(createDial({ ownListeners: () => [{ host: "127.0.0.1", port }] }));
    expect((await failureOf({ ...one, issuer: careful })).message).toContain("Lockstep itself listens there");
    expect(one.provider.asked).toEqual([]);
  });
});

describe("OAuth 2.0", () => {
  it.each([
    ["client_secret_basic", (body: URLSearchParams) => body.has("client_secret")],
    ["client_secret_post", (body: URLSearchParams) => !body.has("client_secret")],
  ])("authenticates as %s says", async (authentication, isWrong) => {
    const one = await oauth2({ authentication, scope: "read write", audience: "https://api.example.com" });
    await issue(one);
    const [asked] = one.provider.asked;
    const body = new URLSearchParams(asked?.body);
    expect(isWrong(body)).toBe(false);
    expect(body.get("grant_type")).toBe("client_credentials");
    expect(body.get("scope")).toBe("read write");
    expect(body.get("audience")).toBe("https://api.example.com");
    const sent =
      authentication === "client_secret_post"
        ? body.get("client_secret")
        : decodeURIComponent(
            Buffer.from(asked?.headers.authorization?.slice(6) ?? "", "base64")
              .toString()
              .split(":")[1]
              ?.replaceAll("+", " ") ?? "",
          );
    expect(sent).toBe(one.inputs.CLIENT_SECRET);
  });

  it("uses the refresh token, and keeps the one that comes in its place", async () => {
    const one = await oauth2({ refreshToken: "REFRESH" });
    const issued = await issue(one);
    expect(new URLSearchParams(one.provider.asked[0]?.body).get("refresh_token")).toBe("canary-refresh");
    expect(issued.replacement?.reveal()).toBe("canary-refresh-1");
    one.provider.behaviour = {
      kind: "answer",
      status: 200,
      body: JSON.stringify({ access_token: "a", token_type: "bearer", refresh_token: "canary-refresh" }),
    };
    expect((await issue(one)).replacement).toBeNull();
  });

  it("says that a refresh token is gone, and by which code anything else was refused", async () => {
    const one = await oauth2({ refreshToken: "REFRESH" });
    one.provider.behaviour = {
      kind: "answer",
      status: 400,
      body: '{"error":"invalid_grant","error_description":"canary"}',
    };
    const failure = await failureOf(one);
    expect(failure.code).toBe("ISSUER_GRANT_GONE");
    expect(failure.hint).toContain("lockstep secret set REFRESH");
    one.provider.behaviour = { kind: "answer", status: 400, body: '{"error":"invalid_scope"}' };
    expect((await failureOf(one)).message).toContain("400 (invalid_scope)");
  });
});

describe("a program on the server's machine", () => {
  const list = join(directory, "list");
  const allowing = (text: string, mode = 0o600) => {
    writeFileSync(list, text);
    chmodSync(list, mode);
    return createCommandIssuer(commandsIn(list));
  };
  const script = (text: string) => {
    const path = join(directory, randomUUID());
    writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return path;
  };
  const run = (issuer: ReturnType<typeof allowing>, words: readonly string[], more: JsonObject = {}) => ({
    issuer,
    config: { run: [...words], ...more },
    inputs: {},
  });

  it("runs with no environment, no shell and no input, when the list names it", async () => {
    const path = script('env | grep -v "^PWD=\\|^SHLVL=\\|^_=" | sha256sum | cut -c1-64; cat');
    const issued = await issue(run(allowing(`# ours\n${path}\n`), [path, "$(id)"], { life: "5m" }));
    expect(issued.value.reveal()).toBe(createHash("sha256").update("").digest("hex"));
    expect(issued.life).toEqual({ kind: "for", ms: 300_000 });
  });

  it.each([
    ["is not on the list", () => run(allowing("/bin/other\n"), [program])],
    ["has no absolute path", () => run(allowing("token\n"), ["token"])],
    ["has a list that others may write", () => run(allowing(`${program}\n`, 0o622), [program])],
    ["has no list", () => run(createCommandIssuer(commandsIn(null)), [program])],
  ])("is not run when it %s", async (_why, one) => {
    expect((await failureOf(one())).code).toBe("ISSUER_REFUSED");
  });

  it("is not run when its list is a link", async () => {
    allowing(`${program}\n`);
    const link = join(directory, "link");
    symlinkSync(list, link);
    expect((await failureOf(run(createCommandIssuer(commandsIn(link)), [program]))).code).toBe(
      "ISSUER_REFUSED",
    );
  });

  it.each([
    ["fails", "echo canary; exit 3", "ended with 3"],
    ["does not end", "sleep 60 & sleep 60", "did not end within 1 s"],
    ["prints without end", "yes canary", "prints more"],
    ["prints JSON that is no token", 'echo \'{"token":7,"x":"canary"}\'', "neither a token nor"],
    ["prints something before it", "echo Welcome; echo canary", "several lines"],
  ])("that %s is told in our words", async (_what, text, words) => {
    const path = script(text);
    const failure = await failureOf(run(allowing(`${path}\n`), [path], { timeoutSeconds: 1 }));
    expect(failure.message).toContain(words);
  });
});
