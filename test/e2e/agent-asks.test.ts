/**
 * A verifier that only its own machine can ask: the agent there asks it, when the machine's owner allows that, and a
 * rotation is decided by what the running service answers. The built program, a real agent, a real service.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../src/simulator/free-port.ts";
import { createProgramKit, policyFileOf, startServerWithAgents } from "../support/program-kit.ts";

const VERIFY = fileURLToPath(new URL("../../dist/sdk/verify.js", import.meta.url));
const SECRET = "INTERNAL_AUTH_SECRET";

/** Follows its file, as services do that need no restart; listens on loopback alone and leaves its counts in a file. */
const SERVICE = `
import { createServer } from "node:http";
import { createVerifier, writeUsageFile } from ${JSON.stringify(VERIFY)};
const [file, port, counts] = process.argv.slice(2);
const verifier = createVerifier({ name: "${SECRET}", source: { file, format: "dotenv" } });
writeUsageFile(verifier, counts, 200);
createServer((request, response) => {
  response.statusCode = verifier.verify(String(request.headers["x-internal-secret"])).accepted ? 200 : 401;
  response.end();
}).listen(Number(port), "127.0.0.1", () => console.log("ready"));
`;

describe.skipIf(process.platform !== "linux")("a verifier that only its own machine can ask", () => {
  const kit = createProgramKit("e2e-asks");
  const { directory, lockstep, json, look, reach } = kit;
  const home = join(directory, "mini");
  const file = join(home, "app", "env");
  const counts = join(home, "usage.json");
  const policyFile = policyFileOf(home);
  let servicePort = 0;

  const rollout = async () =>
    (await look("rollout", "show", SECRET, "--json")).json() as {
      readonly state: string;
      readonly settling: { readonly grade: string } | null;
    };

  const allow = (lines: string): void =>
    writeFileSync(policyFile, `files: ["${file}"]\ncommands: { reload: [/bin/true] }\n${lines}`, {
      mode: 0o600,
    });

  const configure = (question: string): void =>
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  ${SECRET}:
    generate: { random: { bytes: 32, encoding: hex } }
    rotate: { strategy: overlap, settleFor: 1s, quietFor: 1s }
    bindings:
      - target: mini
        role: verifier
        ${question}
targets:
  mini:
    agent: {}
    files: [{ path: "${file}", format: dotenv }]
    activate: { command: reload }
    health: { command: reload }
`,
    );

  beforeAll(async () => {
    servicePort = await freePort();
    mkdirSync(join(home, "app"), { mode: 0o700 });
    const service = join(directory, "service.mjs");
    writeFileSync(service, SERVICE);
    allow("");
    configure(
      `probe: { http: { url: "http://127.0.0.1:${servicePort}/", headers: { X-Internal-Secret: "{{value}}" }, accepted: [200], refused: [401], from: target, counter: true } }`,
    );
    await startServerWithAgents(kit);
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    await kit.startAgent("mini", home);
    expect((await lockstep(["secret", "generate", SECRET])).code).toBe(0);
    await reach("the file", () => existsSync(file));
    kit.start([file, String(servicePort), counts], { program: service });
    await reach("the service", () => kit.said().includes("ready"));
  }, 120_000);

  afterAll(() => kit.stop(), 60_000);

  it("holds the rotation until its owner lets the agent ask, and then decides it", async () => {
    const before = readFileSync(file, "utf8");
    expect((await lockstep(["rotate", SECRET])).code).toBe(0);
    const shown = async () => (await look("rollout", "show", SECRET)).stdout;
    await reach("the reason", async () => (await shown()).includes("policy of its machine does not allow"));
    expect(await shown()).toMatch(/accept/);
    allow(`probes: ["http://127.0.0.1:${servicePort}/"]\n`);
    await reach("the end", async () => (await rollout()).state === "done");
    const { members } = await json("rollout", "show", SECRET);
    expect(members[0].evidence).toBe("proven");
    expect(readFileSync(file, "utf8")).not.toBe(before);
    expect(readFileSync(file, "utf8")).not.toContain("_FALLBACK");
  }, 120_000);

  it("or tells by its counts which value is in use", async () => {
    allow(`counts: ["${counts}"]\n`);
    configure(`usage: { file: "${counts}" }`);
    expect((await lockstep(["apply", "--yes"])).code).toBe(0);
    expect((await lockstep(["rotate", SECRET])).code).toBe(0);
    await reach("the end", async () => {
      const { state, settling } = await rollout();
      if (state === "running" && settling !== null) expect(settling.grade).toBe("observed");
      return state === "done";
    });
    expect(readFileSync(file, "utf8")).not.toContain("_FALLBACK");
  }, 120_000);
});
