/** Questions to what runs on the agent's machine alone: asked where its owner allows it, and told without a value. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { reportedAnswers } from "../../src/app/agents/reports/reported-answers.ts";
import type { BundleAsk, ReportedAnswer } from "../../src/protocol/agent/asks.ts";
import { createVerifier, usageEndpoint, writeUsageFile } from "../../src/sdk/verify.ts";
import { type AgentKit, policyOf, reach, startAgentKit } from "../support/agent-kit.ts";

const OLD = "canary-ask-old";
const NEW = "canary-ask-new";
const TOKEN = "canary-ask-token";
const BINDING = randomUUID();

let kit: AgentKit;
let service: Server;
let url: string;
let values: { primary: string; fallback?: string };
/** Held back answers, when asked to. */
let isHolding: boolean;
let held: ServerResponse[];
let asked: string[];

beforeEach(async () => {
  kit = await startAgentKit();
  await kit.enrol();
  values = { primary: NEW, fallback: OLD };
  isHolding = false;
  held = [];
  asked = [];
  service = createServer((request, response) => {
    const sent = String(request.headers["x-secret"]);
    asked.push(sent);
    response.statusCode = [values.primary, values.fallback].includes(sent) ? 200 : 401;
    if (isHolding) held.push(response);
    else response.end();
  });
  url = await listen(service);
});
afterEach(async () => {
  await kit.dispose();
  await close(service);
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ping`;
}

async function close(server: Server): Promise<void> {
  server.close().closeAllConnections();
  await once(server, "close");
}

const probe = (more: object = {}) => ({
  http: {
    url,
    headers: { "X-Secret": "{{value}}" },
    accepted: [200],
    refused: [401],
    from: "target",
    ...more,
  },
});
const ask = (more: Partial<BundleAsk> = {}): BundleAsk => ({
  bindingId: BINDING,
  secret: "INTERNAL_AUTH_SECRET",
  probe: probe(),
  usage: null,
  versions: [
    { version: 1, value: OLD },
    { version: 2, value: NEW },
  ],
  tokens: [],
  ...more,
});
const allow = (lines: string): void => kit.allow(`${policyOf(join(kit.home, "app"), kit.file)}${lines}\n`);
const lastReport = () => kit.server.reports.at(-1);
const answers = () => lastReport()?.answers ?? [];

/** The bundle with this question; what was answered to it. */
async function answerTo(one: BundleAsk, look = "1000"): Promise<ReportedAnswer | undefined> {
  kit.server.set(kit.content(1, NEW, { look, asks: [one] }));
  kit.run(await kit.open());
  await reach("the answer", () => lastReport()?.look === look, kit.said);
  expect(JSON.stringify(kit.server.reports)).not.toContain("canary-ask");
  expect(kit.said.join("")).not.toContain("canary-ask");
  return answers()[0];
}

describe("a live request from the machine itself", () => {
  it("tells for each version whether the service accepts it", async () => {
    allow(`probes: ["${url}"]`);
    values = { primary: NEW };
    expect(await answerTo(ask())).toEqual({
      bindingId: BINDING,
      acceptance: [
        { version: 1, verdict: "refused", reason: "answered 401" },
        { version: 2, verdict: "accepted", reason: "answered 200" },
      ],
      usage: null,
    });
    expect(asked).toEqual([OLD, NEW]);
  });

  it("is not made without the owner's word, who is told the line to add", async () => {
    const answer = await answerTo(ask());
    expect(answer?.acceptance.map(({ verdict }) => verdict)).toEqual(["cannot-tell", "cannot-tell"]);
    expect(answer?.acceptance[0]?.reason).toContain("policy");
    expect(asked).toEqual([]);
    expect(lastReport()?.refused).toEqual([
      { what: `probe ${url}`, reason: expect.any(String), add: `probes:\n  - ${url}\n` },
    ]);
  });

  it("is refused in advance: the question is known before there is anything to ask", async () => {
    kit.server.set(kit.content(1, NEW, { asks: [ask({ versions: [] })] }));
    kit.run(await kit.open());
    await reach("the report", () => lastReport()?.refused.length === 1, kit.said);
    expect(asked).toEqual([]);
  });

  it.each([
    ["a path beside the allowed one", (text: string) => `${text.slice(0, -4)}x/../other`],
    ["another port", (text: string) => text.replace(/:\d+/, ":1")],
  ])("goes not to %s", async (_what, other) => {
    allow(`probes: ["${url}/*"]`);
    const answer = await answerTo(ask({ probe: probe({ url: other(url) }) }));
    expect(answer?.acceptance[0]?.reason).toContain("policy");
    expect(asked).toEqual([]);
  });

  it("goes below an allowed path", async () => {
    allow(`probes: ["${url}/*"]`);
    const answer = await answerTo(ask({ probe: probe({ url: `${url}/deep?x=1` }) }));
    expect(answer?.acceptance[1]?.verdict).toBe("accepted");
  });

  it.each([
    ["from the server", () => probe({ from: "server" })],
    ["by a command", () => ({ command: { run: ["/bin/true"], accepted: [0], refused: [1] } })],
    ["of a later release", () => ({ grpc: { url } })],
    ["to another machine", () => probe({ url: "http://192.0.2.1/ping" })],
  ])("that is to be asked %s is not asked", async (_what, made) => {
    allow(`probes: ["${url}"]`);
    const answer = await answerTo(ask({ probe: made() }));
    expect(answer?.acceptance[0]?.verdict).toBe("cannot-tell");
    expect(asked).toEqual([]);
  });

  it("waits for the restart, and is made anew when another one came in between", async () => {
    allow(`probes: ["${url}"]`);
    isHolding = true;
    const content = kit.content(1, NEW, { look: "1000", asks: [ask()] });
    kit.server.set(content);
    kit.run(await kit.open());
    await reach("the first question", () => held.length === 1, kit.said);
    // Asked after the start, not before.
    expect(kit.starts()).toBe(1);
    kit.server.set(kit.content(2, "canary-ask-newer", { look: "1000", asks: [ask()] }));
    await reach("the second start", () => kit.starts() === 2, kit.said);
    expect(lastReport()?.look).not.toBe("1000");
    isHolding = false;
    for (const response of held) response.end();
    await reach("the answer", () => lastReport()?.look === "1000", kit.said);
    // The first round spoke of the life before.
    expect(asked).toEqual([OLD, NEW, OLD, NEW]);
  });

  it("holds up nothing, however long the service takes", async () => {
    allow(`probes: ["${url}"]`);
    isHolding = true;
    kit.server.set(kit.content(1, NEW, { look: "1000", asks: [ask()] }));
    kit.run(await kit.open());
    await reach("the question", () => held.length === 1, kit.said);
    kit.server.set(kit.content(2, "canary-ask-newer"));
    await reach("the change", () => lastReport()?.generation === 2 && kit.starts() === 2, kit.said);
    for (const response of held) response.end();
  });
});

describe("use counts on the machine", () => {
  const told = (agoMs: number) => ({
    version: expect.any(Number) as number,
    agoMs: expect.toSatisfy((ms: number) => ms <= agoMs) as number,
  });

  it("are read where they are served", async () => {
    const verifier = createVerifier({ name: "KEY", source: () => values });
    const counts = createServer(usageEndpoint(verifier, { token: TOKEN }));
    const where = await listen(counts);
    allow(`probes: ["${where}"]`);
    verifier.verify(OLD);
    const usage = { url: where, token: "USAGE_TOKEN", from: "target" };
    const answer = await answerTo(ask({ probe: null, usage, tokens: [TOKEN] }));
    expect(answer).toEqual({
      bindingId: BINDING,
      acceptance: [],
      usage: { state: "told", holds: [2, 1], used: [told(30_000), told(30_000)] },
    });
    await close(counts);
  });

  it("are read from the file that the process writes, when it is fresh and of this life", async () => {
    const file = join(kit.home, "usage.json");
    allow(`counts: ["${file}"]`);
    const counts = writeUsageFile(createVerifier({ name: "KEY", source: () => values }), file, 20);
    const answer = await answerTo(ask({ probe: null, usage: { file } }));
    expect(answer?.usage).toMatchObject({ state: "told", holds: [2, 1] });
    counts.close();
  });

  it.each([
    ["old", () => new Date(Date.now() - 120_000).toISOString(), "within the last 60 s"],
    ["from before the restart", () => new Date(Date.now() - 30_000).toISOString(), "before its process"],
    ["no report", () => null, "no report"],
  ])("that are %s are no answer", async (_what, at, reason) => {
    const file = join(kit.home, "usage.json");
    allow(`counts: ["${file}"]`);
    const report = createVerifier({ name: "KEY", source: () => values }).usage({
      nonce: Buffer.alloc(32).toString("base64url"),
    });
    const written = at();
    writeFileSync(file, written === null ? "{}" : JSON.stringify({ ...report, at: written }), {
      mode: 0o600,
    });
    const answer = await answerTo(ask({ probe: null, usage: { file } }));
    expect(answer?.usage).toEqual({ state: "cannot-tell", reason: expect.stringContaining(reason) });
  });

  it("are not read without the owner's word, nor where nothing is", async () => {
    const file = join(kit.home, "usage.json");
    const answer = await answerTo(ask({ probe: null, usage: { file } }));
    expect(answer?.usage).toMatchObject({ state: "cannot-tell", reason: expect.stringContaining("policy") });
    expect(lastReport()?.refused[0]).toMatchObject({ add: `counts:\n  - ${file}\n` });
    rmSync(file, { force: true });
    allow(`counts: ["${file}"]`);
    kit.server.set(kit.content(2, NEW, { look: "2000", asks: [ask({ probe: null, usage: { file } })] }));
    await reach("the next answer", () => lastReport()?.look === "2000", kit.said);
    expect(answers()[0]?.usage).toMatchObject({ reason: expect.stringContaining("there is no file") });
  });
});

describe("several machines of one target", () => {
  const machine = (
    verdict: "accepted" | "cannot-tell" | "refused" | null,
    holds: number[] | null = null,
  ) => ({
    content: {
      answers:
        verdict === null
          ? []
          : [
              {
                bindingId: BINDING,
                acceptance: [{ version: 2, verdict, reason: `said ${verdict}` }],
                usage:
                  holds === null
                    ? null
                    : {
                        state: "told" as const,
                        holds,
                        used: holds.map((version) => ({ version, agoMs: version * 100 })),
                      },
              },
            ],
    },
  });

  it.each([
    ["accepted", [machine("accepted"), machine("accepted")]],
    ["refused", [machine("refused"), machine("refused")]],
    ["cannot-tell", [machine("accepted"), machine("refused")]],
    ["cannot-tell", [machine("accepted"), machine("cannot-tell")]],
    ["cannot-tell", [machine("accepted"), machine(null)]],
  ] as const)("say together: %s", (verdict, machines) => {
    expect(reportedAnswers(machines, BINDING).acceptance.get(2)?.verdict).toBe(verdict);
  });

  it("hold what each of them holds, and used it when the last of them did", () => {
    expect(reportedAnswers([machine("accepted", [1, 2]), machine("accepted", [2])], BINDING).usage).toEqual({
      state: "told",
      holds: [2],
      usedAgoMs: new Map([
        [1, 100],
        [2, 200],
      ]),
    });
    expect(reportedAnswers([machine("accepted", [2]), machine(null)], BINDING).usage.state).toBe(
      "cannot-tell",
    );
    expect(reportedAnswers([machine("accepted", [2])], randomUUID()).acceptance.size).toBe(0);
  });
});
