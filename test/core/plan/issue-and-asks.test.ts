/** What a configuration may not say about tokens, and about questions that nobody could ever ask. */
import ssh2 from "ssh2";
import { describe, expect, it } from "vitest";
import { agentKind } from "../../../src/adapters/targets/agent/target.ts";
import { sshKind } from "../../../src/adapters/targets/ssh/target.ts";
import { desiredOf } from "../../../src/core/plan/desired-config.ts";
import { lifeWarnings } from "../../../src/core/plan/life-warnings.ts";
import { configSchema } from "../../../src/protocol/config.ts";
import { problemsOf } from "../../../src/protocol/config-problem.ts";
import { refreshOf } from "../../../src/protocol/issue.ts";

const kinds = new Map([agentKind, sshKind].map((kind) => [kind.kind, kind]));
const key = ssh2.utils.generateKeyPairSync("ed25519");
const targets = {
  mini: { agent: {}, files: [{ path: "~/env", format: "dotenv" }] },
  vps: {
    ssh: {
      host: "vps.example.com",
      user: "deploy",
      hostKey: key.public,
      privateKey: key.private,
    },
    files: [{ path: "/etc/env", format: "dotenv" }],
  },
};

/** Each as "path: message"; of the shape first, and only then of what it means. */
function problemsIn(secrets: object): readonly string[] {
  const parsed = configSchema.safeParse({ environments: { production: { secrets, targets } } });
  const found = parsed.success ? desiredOf(parsed.data, kinds, []).problems : problemsOf(parsed.error.issues);
  return found.map(({ path, message }) => `${path.slice(3).join(".")}: ${message}`);
}

const oauth2 = (more: object = {}) => ({ tokenUrl: "https://id.example.com/token", clientId: "us", ...more });
const http = (more: object) => ({ url: "http://127.0.0.1:1/", accepted: [200], refused: [401], ...more });

describe("tokens", () => {
  it("whose issuers have what they need are fine", () => {
    expect(
      problemsIn({
        KEY: {},
        SECRET: {},
        REFRESH: {},
        A: { issue: { jwt: { key: "KEY", algorithm: "EdDSA", life: "1h" } }, renew: { at: "2/3" } },
        B: {
          issue: { oauth2: oauth2({ clientSecret: "SECRET", refreshToken: "REFRESH" }) },
          renew: { before: "5m" },
        },
        C: { issue: { http: { url: "https://x.example.com", headers: { A: "{{KEY}}" }, life: "1h" } } },
      }),
    ).toEqual([]);
  });

  it.each([
    [
      "a key that is not there",
      { issue: { jwt: { key: "NONE", algorithm: "EdDSA", life: "1h" } } },
      "issue.jwt.key: names NONE",
    ],
    [
      "a client's secret that is not there",
      { issue: { oauth2: oauth2({ clientSecret: "NONE" }) } },
      "names NONE",
    ],
    [
      "a refresh token that is not there",
      { issue: { oauth2: oauth2({ refreshToken: "NONE" }) } },
      "names NONE",
    ],
    [
      "a refresh token with places",
      { issue: { oauth2: oauth2({ refreshToken: "BOUND" }) } },
      "which is bound to places",
    ],
    [
      "a header with a secret that is not there",
      { issue: { http: { url: "https://x.example.com", headers: { A: "{{NONE}}" } } } },
      "names NONE",
    ],
    [
      "a body with one",
      { issue: { http: { url: "https://x.example.com", body: "{{NONE}}" } } },
      "names NONE",
    ],
    [
      "a claim that is set by itself",
      { issue: { jwt: { key: "BOUND", algorithm: "HS256", life: "1h", claims: { exp: 1 } } } },
      "claims.exp: is set by itself",
    ],
    [
      "two issuers",
      { issue: { random: { life: "1d" }, command: { run: ["/bin/x"] } } },
      "exactly one issuer",
    ],
    ["none", { issue: {} }, "exactly one issuer"],
    ["a client without anything to show", { issue: { oauth2: oauth2() } }, "nothing to authenticate with"],
    ["values in the open", { issue: { http: { url: "http://x.example.com" } } }, "unencrypted"],
    [
      "two words about a life",
      { issue: { http: { url: "https://x.example.com", life: "1h", expiresIn: "/e" } } },
      "more than once",
    ],
    [
      "an issuer and a generator",
      { issue: { random: { life: "1d" } }, generate: { random: { bytes: 32 } } },
      "does not go with",
    ],
    [
      "an issuer and a schedule",
      { issue: { random: { life: "1d" } }, rotate: { every: "1d" } },
      "says `every`",
    ],
    ["renewal without an issuer", { renew: { at: "2/3" } }, "needs `issue`"],
    [
      "two words about when",
      { issue: { random: { life: "1d" } }, renew: { at: "2/3", before: "1h" } },
      "twice when",
    ],
    [
      "a part beyond a life",
      { issue: { random: { life: "1d" } }, renew: { at: "3/2" } },
      "not a part of a life",
    ],
  ])("are refused with %s", (_what, secret, says) => {
    const found = problemsIn({ BOUND: { bindings: [{ target: "mini", role: "caller" }] }, TOKEN: secret });
    expect(found.join("\n")).toContain(says);
  });
});

describe("questions", () => {
  const bound = (target: string, more: object) =>
    problemsIn({ KEY: { bindings: [{ target, role: "verifier", ...more }] } });

  it.each([
    [
      "an agent asks over HTTP",
      "mini",
      { probe: { http: http({ headers: { A: "{{value}}" }, from: "target" }) } },
    ],
    ["an agent reads a file of counts", "mini", { usage: { file: "/run/app/usage.json" } }],
    [
      "a host is asked over SSH",
      "vps",
      { probe: { http: http({ headers: { A: "{{value}}" }, from: "target" }) } },
    ],
    [
      "a host runs a command",
      "vps",
      { probe: { command: { run: ["/bin/x"], accepted: [0], refused: [1] } } },
    ],
  ])("are fine where %s", (_what, target, more) => {
    expect(bound(target, more)).toEqual([]);
  });

  it.each([
    [
      "a command by an agent",
      "mini",
      { probe: { command: { run: ["/bin/x"], accepted: [0], refused: [1] } } },
      "cannot be run at",
    ],
    [
      "a file of counts over SSH",
      "vps",
      { usage: { file: "/run/app/usage.json" } },
      "usage.file: is refused: cannot be read",
    ],
    [
      "a file of counts with a token",
      "mini",
      { usage: { file: "/run/u.json", token: "KEY" } },
      "goes with url alone",
    ],
    [
      "a file of counts without a way to it",
      "mini",
      { usage: { file: "run/u.json" } },
      "plain absolute path",
    ],
    [
      "counts at a URL without a token",
      "mini",
      { usage: { url: "http://127.0.0.1:1/u" } },
      "what opens its url",
    ],
    ["counts nowhere", "mini", { usage: {} }, "exactly one of url and file"],
    [
      "another machine, from there",
      "mini",
      { usage: { url: "https://x.example.com", token: "KEY", from: "target" } },
      "not on loopback",
    ],
  ])("are refused: %s", (_what, target, more, says) => {
    expect(bound(target, more).join("\n")).toContain(says);
  });
});

describe("the token of an OpenClaw gateway", () => {
  const gateway = { target: "vps", role: "verifier", key: "gateway.auth.token" };
  const client = { target: "mini", role: "caller", triesBoth: "attested", evidence: "attested" };
  const read = (issue: object, more: object = {}) => {
    const parsed = configSchema.safeParse({
      environments: {
        production: {
          secrets: { TOKEN: { issue: { openclaw: issue }, bindings: [gateway, client], ...more } },
          targets,
        },
      },
    });
    if (!parsed.success) expect.fail(JSON.stringify(problemsOf(parsed.error.issues)));
    return parsed.data.environments["production"]?.secrets["TOKEN"];
  };

  it("is made here, moves by swap, and is asked for and followed at the gateway alone", () => {
    const secret = read({ at: "vps", port: 4_000, reload: true }, { rotate: { every: "30d" } });
    expect(secret).toMatchObject({
      generate: { random: { bytes: 32, encoding: "base64url" } },
      rotate: { strategy: "swap", every: "30d" },
      bindings: [{ authority: true, probe: { openclaw: { port: 4_000, reload: true } } }, client],
    });
    expect(secret?.issue).toBeUndefined();
    expect(secret?.bindings[1]?.probe).toBeUndefined();
  });

  it("what the configuration says itself stays; read once more it is the same", () => {
    const own = { probe: { http: http({ headers: { A: "{{value}}" } }) }, authority: false };
    const secret = read({ at: "vps" }, { bindings: [{ ...gateway, ...own }, client] });
    expect(secret?.bindings[0]).toMatchObject({ authority: false, probe: { http: { accepted: [200] } } });
    const again = configSchema.parse({
      environments: { production: { secrets: { TOKEN: secret }, targets } },
    });
    expect(again.environments["production"]?.secrets["TOKEN"]).toEqual(secret);
  });

  it("stands in the gateway's configuration unless told", () => {
    const { key: _, ...bare } = gateway;
    expect(read({ at: "vps" }, { bindings: [bare] })?.bindings[0]?.key).toBe("gateway.auth.token");
    expect(read({ at: "vps", reload: true }, { bindings: [bare] })?.bindings[0]?.key).toBeUndefined();
  });

  it.each([
    ["no gateway", { bindings: [client] }, "no binding of the gateway"],
    ["two gateways", { bindings: [gateway, { ...gateway, key: "other" }] }, "several gateways"],
    ["a place that is both", { bindings: [gateway, { ...client, role: "both" }] }, "one token at a time"],
    ["a strategy with two values", { rotate: { strategy: "overlap" } }, "one token at a time"],
    ["an end", { renew: { at: "2/3" } }, "no end"],
  ])("is refused with %s", (_what, more, says) => {
    const secret = { issue: { openclaw: { at: "vps" } }, bindings: [gateway, client], ...more };
    expect(problemsIn({ TOKEN: secret }).join("\n")).toContain(says);
  });

  it("an authority that nobody can ask is refused", () => {
    const bindings = [{ ...gateway, key: "TOKEN", authority: true }];
    expect(problemsIn({ TOKEN: { bindings } }).join("\n")).toContain("needs a verifier with a `probe`");
  });
});

describe("a token whose end nobody says", () => {
  const told = (secrets: object, endless: readonly string[] = []) =>
    lifeWarnings(configSchema.parse({ environments: { production: { secrets } } }), (_environment, name) =>
      endless.includes(name),
    ).map(({ path, message }) => `${path.slice(3).join(".")}: ${message}`);
  const url = "https://x.example.com/t";
  const secrets = {
    S: {},
    A: { issue: { http: { url } } },
    B: { issue: { http: { url, expiresIn: "/in" } } },
    C: { issue: { oauth2: oauth2({ clientSecret: "S" }) } },
    D: { issue: { oauth2: oauth2({ clientSecret: "S", life: "1h" }) } },
    E: { issue: { command: { run: ["/opt/token"] } } },
    F: { issue: { jwt: { key: "S", algorithm: "HS256", life: "1h" } } },
  };

  it("is told at once where nothing could say it, and otherwise once it came without", () => {
    expect(told(secrets)).toEqual([expect.stringMatching(/^A\.issue\.http: says nowhere how long/)]);
    expect(told(secrets, ["A", "B", "C", "D", "E", "F"])).toEqual(
      ["A.issue.http", "C.issue.oauth2", "E.issue.command"].map((at) =>
        expect.stringContaining(`${at}: gave a token without an end`),
      ),
    );
  });

  it("may not be longer than ten years", () => {
    expect(problemsIn({ A: { issue: { random: { life: "3661d" } } } })).toEqual([
      "A.issue.random.life: is longer than ten years",
    ]);
    expect(problemsIn({ A: { issue: { random: { life: "3660d" } } } })).toEqual([]);
  });
});

describe("a templated request that presents a refresh token", () => {
  const of = (more: object) => refreshOf(http({ headers: {}, ...more }) as never);

  it.each([
    ["in a form", { body: "grant_type=refresh_token&refresh_token={{REFRESH}}" }],
    ["in JSON", { body: '{"refresh_token": "{{REFRESH}}"}' }],
    ["in JSON of another spelling", { body: '{"refreshToken":"{{REFRESH}}"}' }],
    ["in a header", { headers: { "X-Refresh-Token": "{{REFRESH}}" } }],
  ])("uses it up: %s", (_where, more) => {
    expect(of(more)).toEqual({ secret: "REFRESH" });
  });

  it("says so where it is called otherwise, and uses nothing up where it presents none", () => {
    const replaces = { secret: "OWN", at: "/next" };
    expect(of({ body: "{{OWN}}", replaces })).toEqual(replaces);
    expect(
      of({ body: '{"password":"{{PASSWORD}}"}', headers: { Authorization: "Bearer {{TOKEN}}" } }),
    ).toBeNull();
  });

  it.each([
    [
      "replaces what it does not hold",
      { A: { issue: { http: { url: "https://x.example.com", replaces: { secret: "KEY", at: "/next" } } } } },
      "A.issue.http.replaces.secret: is not in the request",
    ],
    [
      "presents one that is bound to places",
      {
        KEY: { bindings: [{ target: "mini", role: "caller" }] },
        A: { issue: { http: { url: "https://x.example.com", body: "refresh_token={{KEY}}" } } },
      },
      "A.issue.http: names KEY, which is bound to places",
    ],
  ])("is refused where it %s", (_why, secrets, says) => {
    expect(problemsIn({ KEY: {}, ...secrets })).toEqual([says]);
  });
});
