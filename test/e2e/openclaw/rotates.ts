/**
 * The gateway token of OpenClaw, which holds exactly one: a rotation through the built program, decided by asking the
 * gateway on its own machine, while a caller keeps calling; and a token that somebody changed at the gateway, taken over
 * from there. With the token in the gateway's configuration, or in a file of its own, which it reads again only when somebody
 * who has the old one tells it to.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createDial } from "../../../src/adapters/outgoing/dial.ts";
import { reloadOpenClaw } from "../../../src/adapters/probes/openclaw-prober.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { createCaller } from "../../../src/sdk/caller.ts";
import { accepts, type Gateway, type Layout } from "../../support/openclaw.ts";
import { createProgramKit, policyFileOf, startServerWithAgents } from "../../support/program-kit.ts";

const SECRET = "OPENCLAW_GATEWAY_TOKEN";
const BY_HAND = "canary-gateway-token-that-somebody-set-there";
const OLD = "canary-gateway-token-of-before-0123456789";

export function rotates(
  layout: Layout,
  startGateway: (home: string, token: string) => Promise<Gateway>,
): void {
  const kit = createProgramKit("e2e-openclaw");
  const { directory, lockstep, json, look, reach } = kit;
  const home = join(directory, "mini");
  const clientFile = join(home, "client", "env");
  let gateway: Gateway;

  const token = (): string => {
    const text = readFileSync(gateway.tokenFile, "utf8");
    if (layout === "reference") return text;
    return (JSON.parse(text) as { gateway: { auth: { token: string } } }).gateway.auth.token;
  };

  beforeAll(async () => {
    mkdirSync(join(home, "client"), { recursive: true, mode: 0o700 });
    gateway = await startGateway(home, OLD);
    const tokenFormat = layout === "reference" ? "raw" : "json";
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  ${SECRET}:
    issue: { openclaw: { at: mini, port: ${gateway.port}, reload: ${layout === "reference"} } }
    rotate: { settleFor: 1s }
    bindings:
      - { target: mini, role: verifier, file: ${gateway.tokenFile} }
      - { target: mini, role: caller, file: ${clientFile}, triesBoth: attested, evidence: attested }
targets:
  mini:
    agent: {}
    files:
      - { path: ${gateway.tokenFile}, format: ${tokenFormat} }
      - { path: ${clientFile}, format: dotenv }
`,
    );
    writeFileSync(
      policyFileOf(home),
      [
        `files: [{ path: "${gateway.tokenFile}", formats: [${tokenFormat}] }, "${clientFile}"]`,
        `probes: ["${gateway.origin}/tools/invoke", "ws://127.0.0.1:${gateway.port}/"]`,
        `authorities: ["${gateway.tokenFile}"]`,
        "",
      ].join("\n"),
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
    const before = readFileSync(gateway.tokenFile, "utf8");
    expect((await lockstep(["secret", "set", SECRET], { input: OLD })).code).toBe(0);
    await reach(
      "the client's file",
      () => existsSync(clientFile) && readFileSync(clientFile, "utf8").includes(OLD),
    );
    await reach("the end", async () => (await look("check")).exitCode === 0);
    expect(readFileSync(gateway.tokenFile, "utf8")).toBe(before);
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
      await reach("the end", async () =>
        /"state":\s*"done"/.test((await look("rollout", "show", SECRET, "--json")).stdout),
      );
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
    expect(statSync(gateway.tokenFile).mode & 0o777).toBe(0o600);
    expect(kit.said()).not.toContain("canary");
  }, 180_000);

  it("whose token somebody changes there is taken over, once it accepts that and refuses ours", async () => {
    const before = token();
    const text = readFileSync(gateway.tokenFile, "utf8").replace(before, BY_HAND);
    writeFileSync(`${gateway.tokenFile}.new`, text, { mode: 0o600 });
    renameSync(`${gateway.tokenFile}.new`, gateway.tokenFile);
    if (layout === "reference") await reloadBy(gateway, before);
    await reach("the gateway", async () => (await accepts(gateway, BY_HAND)) === true);
    // By itself it looks every minute; who asks need not wait for that.
    await reach("the client's file", async () => {
      await look("check");
      return readFileSync(clientFile, "utf8").includes(BY_HAND);
    });
    await reach("the end", async () => (await look("check")).exitCode === 0);
    expect(token()).toBe(BY_HAND);
    const history = await json("audit", "list");
    expect(JSON.stringify(history)).toContain("secret.taken_over");
    expect(JSON.stringify(history)).not.toContain("canary");
    expect(kit.said()).not.toContain("canary");
  }, 180_000);
}

/** What its own command does, run with the old token in its environment. */
async function reloadBy({ port }: Gateway, accepted: string): Promise<void> {
  const connect = createDial({ ownListeners: () => [] });
  const spec = { port, reload: true, timeoutSeconds: 10 };
  await reloadOpenClaw(connect, spec, SecretValue.of(accepted), AbortSignal.timeout(10_000));
}
