/** A hand edit on a machine behind NAT, through the built program: named, told by a signed webhook, repaired, told again. */
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgramKit, policyFileOf, startServerWithAgents } from "../support/program-kit.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const VALUE = "canary-value-of-the-secret";

interface Told {
  readonly type: string;
  readonly data: { readonly kind: string; readonly message: string; readonly remedy: string };
}

describe.skipIf(process.platform !== "linux")("a hand edit", () => {
  const kit = createProgramKit("e2e-alerts");
  const { directory, lockstep, json, look, reach } = kit;
  const home = join(directory, "mini");
  const file = join(home, "app", "env");
  const told: Told[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    const headers = request.headers as Record<string, string>;
    told.push(new Webhook(SECRET).verify(body, headers) as Told);
    response.writeHead(204).end();
  });

  beforeAll(async () => {
    mkdirSync(join(home, "app"), { recursive: true, mode: 0o700 });
    await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
    const { port } = receiver.address() as AddressInfo;
    writeFileSync(
      join(directory, "lockstep.yaml"),
      `environment: production
secrets:
  AUTH: { bindings: [{ target: mini, role: both, evidence: attested }] }
targets:
  mini: { agent: {}, files: [{ path: ${file}, format: dotenv }] }
alerts:
  pager: { webhook: { url: "http://127.0.0.1:${port}/hook", secret: "\${env:HOOK_SECRET}" } }
`,
    );
    writeFileSync(policyFileOf(home), `files: ["${file}"]\n`, { mode: 0o600 });
    await startServerWithAgents(kit);
    expect((await lockstep(["apply", "--yes"], { env: { HOOK_SECRET: SECRET } })).code).toBe(0);
    await kit.startAgent("mini", home);
    expect((await lockstep(["secret", "set", "AUTH"], { input: VALUE })).code).toBe(0);
    await reach("the file", async () => (await look("check", "--quiet")).exitCode === 0);
  }, 120_000);

  afterAll(async () => {
    await kit.stop();
    receiver.close().closeAllConnections();
    await once(receiver, "close");
  }, 60_000);

  it("is told with the command that repairs it; then that it is over", async () => {
    expect(await lockstep(["alert", "test"])).toMatchObject({ code: 0 });
    expect(told.map(({ type }) => type)).toEqual(["alert.test"]);
    expect((await lockstep(["check", "--quiet"])).stdout).toBe("");

    writeFileSync(file, readFileSync(file, "utf8").replace(VALUE, "canary-by-hand"));
    const seen = await lockstep(["check", "--quiet"]);
    expect(seen.code).toBe(3);
    expect(seen.stdout).toContain("AUTH");
    await reach("the alert", () => told.length > 1);
    expect(told[1]).toMatchObject({
      type: "alert.opened",
      data: { kind: "hand-edit", remedy: "lockstep heal --target mini --secret AUTH" },
    });

    const [program = "", ...words] = (told[1]?.data.remedy ?? "").split(" ");
    expect(program).toBe("lockstep");
    expect((await lockstep(words)).code).toBe(0);
    await reach("the repair", async () => (await look("check", "--quiet")).exitCode === 0);
    expect(readFileSync(file, "utf8")).toContain(VALUE);
    await reach("that it is over", () => told.length > 2);
    expect(told[2]?.type).toBe("alert.resolved");
    expect((await json("alert", "channels")).channels).toMatchObject([{ name: "pager", error: null }]);
    expect(JSON.stringify(told)).not.toContain("canary");
    expect(kit.said()).not.toContain("canary");
    expect(kit.said()).not.toContain(SECRET);
  }, 120_000);

  it("is seen coming by who watches, and Ctrl-C ends the watching", async () => {
    const watching = kit.start(["status", "--watch", "--every", "1s", "--json"]);
    let shown = "";
    watching.stdout?.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
    });
    const states = (): string[] =>
      shown
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).secrets[0].bindings[0].state);
    await reach("two looks", () => states().length > 1);
    expect(states().at(-1)).toBe("in-sync");
    writeFileSync(file, "AUTH='canary-by-hand'\n");
    expect((await lockstep(["check", "--quiet"])).code).toBe(3);
    await reach("the change", () => states().at(-1) === "foreign");
    const ended = once(watching, "exit");
    watching.kill("SIGINT");
    expect((await ended)[0]).toBe(0);
  }, 120_000);
});
