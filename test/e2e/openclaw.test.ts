/**
 * The gateway token of OpenClaw, which holds exactly one: a rotation through the built program, decided by asking the
 * gateway on its own machine, while a caller keeps calling. Against the double everywhere, and against the real gateway.
 */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCaller } from "../../src/sdk/caller.ts";
import { accepts, type Gateway, startGatewayDouble, startRealGateway } from "../support/openclaw.ts";
import { createProgramKit, policyFileOf, startServerWithAgents } from "../support/program-kit.ts";
import { findServer, lacks } from "../support/servers.ts";

const SECRET = "OPENCLAW_GATEWAY_TOKEN";
const OLD = "canary-gateway-token-of-before-0123456789";

describe.skipIf(process.platform !== "linux")("the gateway's double", () => {
  rotates((home) => startGatewayDouble(home, OLD));
});

describe.skipIf(process.platform !== "linux" || lacks("openclaw"))("the real gateway", () => {
  rotates((home) => startRealGateway(findServer("openclaw") ?? "", home, OLD));
});

function rotates(startGateway: (home: string) => Promise<Gateway>): void {
  const kit = createProgramKit("e2e-openclaw");
  const { directory, lockstep, json, reach } = kit;
  const home = join(directory, "mini");
  const clientFile = join(home, "client", "env");
  let gateway: Gateway;

  const token = (): string =>
    (JSON.parse(readFileSync(gateway.configFile, "utf8")) as { gateway: { auth: { token: string } } }).gateway
      .auth.token;

  beforeAll(async () => {
    mkdirSync(join(home, "client"), { recursive: true, mode: 0o700 });
    gateway = await startGateway(home);
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  ${SECRET}:
    generate: { random: { bytes: 32 } }
    rotate: { strategy: swap, settleFor: 1s }
    bindings:
      - target: mini
        role: verifier
        file: ${gateway.configFile}
        key: gateway.auth.token
        probe:
          http:
            url: ${gateway.origin}/tools/invoke
            method: POST
            headers: { Authorization: "Bearer {{value}}", Content-Type: application/json }
            body: "{}"
            accepted: [400]
            refused: [401]
            from: target
      - { target: mini, role: caller, file: ${clientFile}, triesBoth: attested, evidence: attested }
targets:
  mini:
    agent: {}
    files:
      - { path: ${gateway.configFile}, format: json }
      - { path: ${clientFile}, format: dotenv }
`,
    );
    writeFileSync(
      policyFileOf(home),
      `files: ["${gateway.configFile}", "${clientFile}"]\nprobes: ["${gateway.origin}/tools/invoke"]\n`,
      { mode: 0o600 },
    );
    await startServerWithAgents(kit);
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    await kit.startAgent("mini", home);
  }, 200_000);

  afterAll(async () => {
    await gateway.stop();
    await kit.stop();
  }, 60_000);

  it("whose token is known already is taken over without a write", async () => {
    const before = readFileSync(gateway.configFile, "utf8");
    expect((await lockstep(["secret", "set", SECRET], { input: OLD })).code).toBe(0);
    await reach(
      "the client's file",
      () => existsSync(clientFile) && readFileSync(clientFile, "utf8").includes(OLD),
    );
    await reach("the end", async () => (await lockstep(["check"])).code === 0);
    expect(readFileSync(gateway.configFile, "utf8")).toBe(before);
    expect(await accepts(gateway, OLD)).toBe(true);
  }, 120_000);

  it("changes over to the next one without a failed call, decided by what it answers", async () => {
    const caller = createCaller({
      name: SECRET,
      origins: [gateway.origin],
      header: "authorization",
      source: { file: clientFile, format: "dotenv" },
    });
    const answers = new Map<number, number>();
    const stopping = new AbortController();
    const calling = (async () => {
      while (!stopping.signal.aborted) {
        const { status } = await caller.fetch(`${gateway.origin}/tools/invoke`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: "{}",
        });
        answers.set(status, (answers.get(status) ?? 0) + 1);
        await delay(20);
      }
    })();
    try {
      expect((await lockstep(["rotate", SECRET])).code).toBe(0);
      await reach("the end", async () => (await json("rollout", "show", SECRET)).state === "done");
    } finally {
      stopping.abort();
      await calling;
      caller.close();
    }
    expect([...answers.keys()]).toEqual([400]);
    expect(answers.get(400)).toBeGreaterThan(100);
    expect(token()).not.toBe(OLD);
    expect(await accepts(gateway, token())).toBe(true);
    expect(await accepts(gateway, OLD)).toBe(false);
    const { strategy, members } = await json("rollout", "show", SECRET);
    expect(strategy).toBe("swap");
    expect(members.find(({ role }: { role: string }) => role === "verifier").evidence).toBe("proven");
    expect(readFileSync(clientFile, "utf8")).toContain(token());
    expect(readFileSync(clientFile, "utf8")).not.toContain("_FALLBACK");
    expect(statSync(gateway.configFile).mode & 0o777).toBe(0o600);
    expect(kit.said()).not.toContain("canary");
  }, 180_000);
}
