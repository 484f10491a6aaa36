/** Tokens as a person meets them: the built program, tokens that are signed here and tokens of a provider that goes away. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createLocalJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTokenProvider, type TokenProvider } from "../support/token-provider.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

describe("tokens", () => {
  const directory = mkdtempSync(join(tmpdir(), "lockstep-e2e-renewal-"));
  let server: ChildProcess;
  let provider: TokenProvider;
  let said = "";

  function start(words: readonly string[]): ChildProcess {
    return spawn(process.execPath, [PROGRAM, ...words], {
      cwd: directory,
      env: { PATH: process.env["PATH"], HOME: directory, LOCKSTEP_DATA: join(directory, "data") },
      stdio: ["pipe", "pipe", "pipe"],
    });
  }
  async function lockstep(words: readonly string[], input = "") {
    const child = start(words);
    child.stdin?.end(input);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout as NodeJS.ReadableStream),
      text(child.stderr as NodeJS.ReadableStream),
      once(child, "close"),
    ]);
    return { code: code as number | null, stdout, stderr };
  }
  const json = async (...words: readonly string[]) =>
    JSON.parse((await lockstep([...words, "--json"])).stdout);
  const renewal = async (name: string) =>
    (
      (await json("renewals")) as { renewals: { secret: string; state: string; version: number }[] }
    ).renewals.find(({ secret }) => secret === name);
  async function reach(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + 60_000; !(await holds()); await delay(200))
      if (Date.now() > deadline) throw new Error(`not reached: ${what}; it said: ${said.slice(-2_000)}`);
  }

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
    server = start(["up", "--port", "0"]);
    for (const stream of [server.stdout, server.stderr])
      stream?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    await reach("the server", async () => said.includes("http://127.0.0.1"));
  }, 90_000);
  afterAll(async () => {
    const gone = once(server, "exit");
    server.kill("SIGTERM");
    await gone;
    await provider.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("are made by themselves as soon as what they need is there", async () => {
    const applied = await lockstep(["apply", "--yes"]);
    expect(applied.stderr).toBe("");
    expect(applied.code).toBe(0);
    await reach("the reason", async () =>
      (await lockstep(["renewals"])).stdout.includes("it needs PARTNER_PASSWORD"),
    );
    const { generateKeyPairSync } = await import("node:crypto");
    const key = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect((await lockstep(["secret", "set", "SIGNING_KEY"], key)).code).toBe(0);
    expect((await lockstep(["secret", "set", "PARTNER_PASSWORD"], "canary-password")).code).toBe(0);
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
    provider.behaviour = { kind: "answer", status: 403, body: '{"error":"canary-said"}' };
    for (let tries = 0; tries < 2; tries += 1) {
      const { code, stderr } = await lockstep(["renew", "PARTNER_TOKEN"]);
      expect(code).toBe(1);
      expect(stderr).toContain("it answered 403");
      expect(stderr).toContain("fix:");
    }
    const { alerts } = await json("alert", "list");
    expect(alerts).toMatchObject([{ kind: "renewal", level: "failing", resolvedAt: null }]);
    expect(alerts[0].message).toContain(
      "PARTNER_TOKEN (production) is not renewed. The token is good until 20",
    );
    expect(alerts[0].remedy).toContain("`lockstep renew PARTNER_TOKEN`");
    expect((await renewal("PARTNER_TOKEN"))?.state).toBe("failing");
    provider.behaviour = null;
    expect((await lockstep(["renew", "PARTNER_TOKEN"])).code).toBe(0);
    expect((await renewal("PARTNER_TOKEN"))?.state).toBe("good");
    expect((await json("alert", "list")).alerts).toEqual([]);
    expect((await json("alert", "list", "--all")).alerts).toHaveLength(1);
    expect(said).not.toMatch(/canary/);
    const { stdout } = await lockstep(["audit", "list", "--json"]);
    expect(stdout).toContain("renewal.issued");
    expect(stdout).not.toContain("canary");
  }, 60_000);
});
