/** Tokens as a person meets them: the built program, tokens that are signed here and tokens of a provider that goes away. */
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROGRESS } from "../support/cli-kit.ts";
import { createProgramKit } from "../support/program-kit.ts";
import { startTokenProvider, type TokenProvider } from "../support/token-provider.ts";

describe("tokens", () => {
  const kit = createProgramKit("e2e-renewal");
  const { directory, lockstep, json, look, reach } = kit;
  let provider: TokenProvider;

  const renewal = async (name: string) =>
    (
      (await look("renewals", "--json")).json() as {
        renewals: { secret: string; state: string; version: number }[];
      }
    ).renewals.find(({ secret }) => secret === name);
  beforeAll(async () => {
    provider = await startTokenProvider((count) => ({ token: `canary-partner-${count}`, expires_in: 3_600 }));
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  SIGNING_KEY: {}
  PARTNER_PASSWORD: {}
  API_TOKEN:
    issue: { jwt: { key: SIGNING_KEY, algorithm: EdDSA, life: 1h, issuer: lockstep, audience: api } }
    renew: { before: 20m }
    bindings: [{ target: console, role: caller, evidence: attested }]
  PARTNER_TOKEN:
    issue:
      http:
        url: ${provider.url}
        headers: { Content-Type: application/json }
        body: '{"password":"{{PARTNER_PASSWORD}}"}'
        expiresIn: /expires_in
targets:
  console: { manual: { instructions: "Put it there." } }
`,
    );
    kit.start(["up", "--port", "0"]);
    await reach("the server", () => kit.said().includes("http://127.0.0.1"));
  }, 90_000);
  afterAll(async () => {
    await kit.stop();
    await provider.close();
  }, 60_000);

  it("are made by themselves as soon as what they need is there", async () => {
    const applied = await lockstep(["apply", "--yes"]);
    expect(applied.stderr.replaceAll(PROGRESS, "")).toBe("");
    expect(applied.code).toBe(0);
    await reach("the reason", async () =>
      (await look("renewals")).stdout.includes("it needs PARTNER_PASSWORD"),
    );
    const key = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect((await lockstep(["secret", "set", "SIGNING_KEY"], { input: key })).code).toBe(0);
    expect((await lockstep(["secret", "set", "PARTNER_PASSWORD"], { input: "canary-password" })).code).toBe(
      0,
    );
    await reach("both", async () => {
      const states = [await renewal("API_TOKEN"), await renewal("PARTNER_TOKEN")].map((one) => one?.state);
      return states.every((state) => state === "good");
    });
    const { stdout, code } = await lockstep(["renewals"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/API_TOKEN\s+production\s+jwt\s+v1\s+good\s+in 60 min\s+in (3\d|40) min/);
    expect((await lockstep(["status"])).stdout).toMatch(/API_TOKEN v1 is good for another (59|60) min/);
    expect(JSON.parse(provider.asked[0]?.body ?? "")).toEqual({ password: "canary-password" });
  }, 90_000);

  it("that are signed here are checked with the published keys", async () => {
    const { stdout } = await lockstep(["secret", "reveal", "API_TOKEN"]);
    const keys = await json("jwks", "API_TOKEN");
    const { payload } = await jwtVerify(stdout.trim(), createLocalJWKSet(keys), {
      issuer: "lockstep",
      audience: "api",
    });
    expect(payload.exp).toBeGreaterThan(Date.now() / 1_000);
    const none = await lockstep(["jwks", "PARTNER_TOKEN"]);
    expect([none.code, none.stderr]).toEqual([64, expect.stringContaining("issue: { jwt")]);
  }, 60_000);

  it("are renewed by a person's word, and by rotate", async () => {
    const renewed = await lockstep(["renew", "PARTNER_TOKEN"]);
    expect(renewed.stdout).toMatch(/PARTNER_TOKEN has v2, which is good until 20/);
    expect((await json("renew", "PARTNER_TOKEN")).version).toBe(3);
    expect((await json("rotate", "PARTNER_TOKEN")).to).toBe(4);
    const generated = await lockstep(["secret", "generate", "PARTNER_TOKEN"]);
    expect([generated.code, generated.stderr]).toEqual([
      64,
      expect.stringContaining("lockstep renew PARTNER_TOKEN"),
    ]);
    const plain = await lockstep(["renew", "PARTNER_PASSWORD"]);
    expect([plain.code, plain.stderr]).toEqual([64, expect.stringContaining("no issuer makes its values")]);
  }, 60_000);

  it("of a provider that refuses are told, with what to do, and without what it said", async () => {
    const ofTokens = async (...words: string[]) =>
      (await json("alert", "list", ...words)).alerts.filter(
        ({ kind }: { kind: string }) => kind === "renewal",
      );
    const before = (await ofTokens("--all")).length;
    provider.behaviour = { kind: "answer", status: 403, body: '{"error":"canary-said"}' };
    for (let tries = 0; tries < 2; tries += 1) {
      const { code, stderr } = await lockstep(["renew", "PARTNER_TOKEN"]);
      expect(code).toBe(1);
      expect(stderr).toContain("it answered 403");
      expect(stderr).toContain("fix:");
    }
    const alerts = await ofTokens();
    expect(alerts).toMatchObject([{ kind: "renewal", level: "failing", resolvedAt: null }]);
    expect(alerts[0].message).toContain(
      "PARTNER_TOKEN (production) is not renewed. The token is good until 20",
    );
    expect(alerts[0].remedy).toContain("`lockstep renew PARTNER_TOKEN`");
    expect((await renewal("PARTNER_TOKEN"))?.state).toBe("failing");
    provider.behaviour = null;
    expect((await lockstep(["renew", "PARTNER_TOKEN"])).code).toBe(0);
    expect((await renewal("PARTNER_TOKEN"))?.state).toBe("good");
    expect(await ofTokens()).toEqual([]);
    expect(await ofTokens("--all")).toHaveLength(before + 1);
    expect(kit.said()).not.toMatch(/canary/);
    const { stdout } = await lockstep(["audit", "list", "--json"]);
    expect(stdout).toContain("renewal.issued");
    expect(stdout).not.toContain("canary");
  }, 60_000);
});
