/**
 * The real listener, a real agent, and between them a proxy that has everything a proxy can have: it reads every byte
 * and changes what it likes. It learns nothing and forges nothing, and what it tries is on record.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentKind } from "../../../src/adapters/targets/agent/target.ts";
import { inviteAgent, listAgents, revokeAgent } from "../../../src/app/agents/enrolment/manage-agents.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { contentOf } from "../../../src/app/targets/report-content.ts";
import { AgentClient } from "../../../src/edges/agent/client/client.ts";
import { createTransport } from "../../../src/edges/agent/client/transport.ts";
import { openAgentFiles } from "../../../src/edges/agent/identity/agent-files.ts";
import { requireIdentity } from "../../../src/edges/agent/identity/identity.ts";
import { createAgentProgram } from "../../../src/edges/agent/program.ts";
import { fetchOffer, fetchProgram } from "../../../src/edges/agent/upgrade/fetch-program.ts";
import type { ServedProgram } from "../../../src/edges/http/agents/program.ts";
import { type AgentServer, createAgentServer } from "../../../src/edges/http/agents/server.ts";
import { parseEnrolmentCode } from "../../../src/protocol/agent/enrolment-code.ts";
import { sealMessage } from "../../../src/protocol/agent/envelope.ts";
import { newSigningKey } from "../../../src/protocol/agent/keys.ts";
import { AGENT_PATHS, programPath } from "../../../src/protocol/agent/paths.ts";
import { reach, SHORT } from "../../support/agent-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLocalAgentNotifier } from "../../support/local-agent-notifier.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import {
  ask,
  enrol,
  FACTS,
  greet,
  listen,
  newAgentKeys,
  nonce,
  post,
  publicOf,
  signedRequest,
} from "../../support/played-agent.ts";
import { type RewritingProxy, startRewritingProxy } from "../../support/rewriting-proxy.ts";

const FIRST = "canary-first-0451";
const SECOND = "canary-second-0451";

const PROGRAM_TEXT = "the agent's program";
const PROGRAM_DIGEST = createHash("sha256").update(PROGRAM_TEXT).digest("hex");
const PROGRAM: ServedProgram = {
  offer: {
    release: "1.2.3",
    files: [{ runsOn: "node", sha256: PROGRAM_DIGEST, bytes: Buffer.byteLength(PROGRAM_TEXT) }],
  },
  read: () => Readable.from([Buffer.from(PROGRAM_TEXT)]),
};

describeOnAStore("agents over the wire", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;
  let server: AgentServer;
  let proxy: RewritingProxy;
  let home: string;
  const said: string[] = [];
  let running: { stop(): Promise<void> } | null = null;

  beforeEach(async () => {
    kit = createLoopKit(getDatabase());
    await kit.reset();
    context = kit.other({
      targetKinds: new Map([...kit.context.targetKinds, ["agent", agentKind]]),
      agentNotifier: createLocalAgentNotifier(),
      timing: { ...kit.context.timing, quietMs: 0, maxQuietMs: 0 },
    });
    home = mkdtempSync(join(tmpdir(), "lockstep-wire-"));
    mkdirSync(join(home, "app"), { mode: 0o700 });
    mkdirSync(join(home, "policy"), { mode: 0o700 });
    const file = join(home, "app", "env");
    writeFileSync(
      join(home, "policy", "agent-policy.yaml"),
      `files: [${file}]\ncommands: { restart: ["/bin/sh", "-c", ":"] }\n`,
      { mode: 0o600 },
    );
    await kit.target("mini");
    const { config } = agentKind.parse({
      agent: {},
      files: [{ path: file, format: "dotenv" }],
      activate: { command: "restart" },
    });
    await getDatabase().pool.query("update target set kind = 'agent', config = $1", [JSON.stringify(config)]);
    await kit.secret("TOKEN");
    await kit.bind("TOKEN", "mini");
    await getDatabase().pool.query("update binding set placement = $1", [file]);
    await getDatabase().pool.query("update ownership set placement = $1", [file]);
    server = createAgentServer({ context, tls: null, program: PROGRAM });
    const port = await server.listen("127.0.0.1", 0);
    proxy = await startRewritingProxy(`http://127.0.0.1:${port}`);
    said.length = 0;
  });
  afterEach(async () => {
    await running?.stop();
    running = null;
    await server.close();
    await proxy.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const invite = async () =>
    (
      await inviteAgent(context, TESTER, {
        environment: "production",
        target: "mini",
        reusable: false,
        replace: true,
        livesMs: 60_000,
        listener: { url: proxy.url, tlsKeyDigest: null },
      })
    ).code;

  function program() {
    return createAgentProgram({
      settings: {
        stateDirectory: join(home, "state"),
        enrolmentFile: null,
        policyFile: join(home, "policy", "agent-policy.yaml"),
        homeDirectory: home,
        env: { PATH: process.env["PATH"] },
      },
      version: "0.0.0-test",
      self: [process.execPath],
      write: (line) => void said.push(line),
      scrubber: { know: () => undefined, scrub: (text) => text },
      timing: SHORT,
    });
  }

  function run(): void {
    const end = new AbortController();
    const ended = program().run(end.signal);
    running = {
      stop: async () => {
        end.abort();
        await ended;
      },
    };
  }

  const agent = async () => (await listAgents(context, {})).find(({ state }) => state === "active");
  const fileText = () => readFileSync(join(home, "app", "env"), "utf8");
  const incidents = async () => {
    const active = await agent();
    return (active === undefined ? null : contentOf(active))?.incidents.map(({ code }) => code) ?? [];
  };
  const atEnd = () =>
    reach(
      "the end of the rollout",
      async () => {
        // The worker's part: what a gate asks about is observed there, never within a report.
        await kit.drain(context);
        return (await kit.rows("select from rollout where state in ('running', 'stalled')")).length === 0;
      },
      said,
    );

  it("learns nothing from a whole life: invitation, enrolment, bundles, reports, revocation", async () => {
    const code = await invite();
    await program().enroll(code, new AbortController().signal);
    run();
    await kit.set("TOKEN", FIRST, context);
    await atEnd();
    await kit.set("TOKEN", SECOND, context);
    await atEnd();
    expect(fileText()).toBe(`TOKEN='${SECOND}'\n`);
    await reach("the stream", () => server.streams.count === 1, said);
    await revokeAgent(context, TESTER, { environment: "production", target: "mini" });
    await reach("the stream's end", () => server.streams.count === 0, said);
    await reach("the agent to know", () => said.join("").includes("AGENT_REVOKED"), said);
    // What it was given stays in use.
    expect(fileText()).toContain(SECOND);

    const captured = proxy.captured();
    const { random } = parseEnrolmentCode(code) ?? { random: "" };
    expect(captured).toContain(AGENT_PATHS.bundle);
    for (const canary of [FIRST, SECOND, random, code]) {
      expect(captured).not.toContain(canary);
      expect(captured).not.toContain(Buffer.from(canary).toString("base64url"));
      expect(said.join("")).not.toContain(canary);
    }
  });

  it("gives the agent's program to who names its digest, and offers it, signed, to its agents alone", async () => {
    const get = (path: string) => fetch(`${proxy.url}${path}`);
    const given = await get(programPath(PROGRAM_DIGEST));
    expect([given.status, await given.text()]).toEqual([200, PROGRAM_TEXT]);
    expect(given.headers.get("cache-control")).toContain("immutable");
    for (const path of [
      programPath("0".repeat(64)),
      AGENT_PATHS.program,
      `${AGENT_PATHS.program}/`,
      "/agent/v1/programs",
    ])
      expect([401, 404], path).toContain((await get(path)).status);
    const unsigned = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    expect((await fetch(`${proxy.url}${AGENT_PATHS.program}`, unsigned)).status).toBe(401);

    await program().enroll(await invite(), new AbortController().signal);
    const files = await openAgentFiles(join(home, "state"), { create: false });
    const identity = await requireIdentity(files);
    const transport = createTransport(identity);
    const client = new AgentClient({ transport, nowMs: Date.now, timeoutMs: 5_000 }, identity);
    const never = new AbortController().signal;
    const offer = await fetchOffer(client, identity, never);
    expect(offer).toEqual(PROGRAM.offer);
    const [file] = offer.files;
    if (file === undefined) throw new Error("nothing is offered");
    await fetchProgram(transport, file, join(home, "fetched"), never);
    expect(readFileSync(join(home, "fetched"), "utf8")).toBe(PROGRAM_TEXT);
    // A share for each address: who fetches on and on must wait.
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async () => (await get(programPath(PROGRAM_DIGEST))).status),
    );
    expect(statuses).toContain(429);
  });

  it("bundles that are old, forged, for others or cut are dropped, told, and nothing is written from them", async () => {
    await program().enroll(await invite(), new AbortController().signal);
    const other = await greet(await invite(), { url: proxy.url, pin: null });
    run();
    await kit.set("TOKEN", FIRST, context);
    await atEnd();
    const old = proxy.answers.findLast(({ path }) => path === AGENT_PATHS.bundle)?.body ?? "";
    const mine = newSigningKey();
    const forged = async (): Promise<string> => {
      const key = (await agent())?.encryptKey as unknown as Parameters<typeof sealMessage>[1]["encryptTo"];
      return JSON.stringify({
        sealed: await sealMessage({ v: 1, kind: "bundle" }, { signWith: mine, encryptTo: key }),
      });
    };
    const forOther = JSON.stringify({
      sealed: await sealMessage({}, { signWith: mine, encryptTo: publicOf(other.identity.encryptKey) }),
    });
    for (const answer of [old, await forged(), forOther, "{}", "<html>"]) {
      let sent = 0;
      proxy.rewrite({
        answer: (passing) => {
          if (passing.path !== AGENT_PATHS.bundle || passing.status !== 200) return passing;
          sent += 1;
          return { ...passing, body: answer };
        },
      });
      await kit.set("TOKEN", SECOND, context);
      await reach("the forgery to arrive", () => sent > 0, said);
      expect(fileText()).toBe(`TOKEN='${FIRST}'\n`);
    }
    proxy.rewrite({});
    await atEnd();
    expect(fileText()).toBe(`TOKEN='${SECOND}'\n`);
    await reach("the incidents to be told", async () => (await incidents()).includes("BUNDLE_REFUSED"), said);
    expect(await kit.rows("select from audit_entry where action = 'agent.refused'")).not.toEqual([]);
  });

  it("requests that are sent again or changed do nothing", async () => {
    await program().enroll(await invite(), new AbortController().signal);
    run();
    await kit.set("TOKEN", FIRST, context);
    await atEnd();
    for (const path of [AGENT_PATHS.bundle, AGENT_PATHS.report, AGENT_PATHS.confirm]) {
      const request = proxy.requests.findLast((passing) => passing.path === path);
      if (request === undefined) throw new Error(`no ${path}`);
      const again = await proxy.replay(request);
      expect([path, again.status, JSON.parse(again.body).code]).toEqual([path, 401, "REQUEST_REPLAYED"]);
      const changed = await proxy.replay({ ...request, body: request.body.replace('"v":1', '"v":1 ') });
      expect([changed.status, JSON.parse(changed.body).code]).toEqual([401, "UNAUTHENTICATED"]);
      const moved = await proxy.replay({
        ...request,
        path: AGENT_PATHS.bundle === path ? AGENT_PATHS.report : AGENT_PATHS.bundle,
      });
      expect(moved.status).toBe(401);
    }
    const enrolment = proxy.requests.find(({ path }) => path === AGENT_PATHS.enrol);
    if (enrolment === undefined) throw new Error("no enrolment");
    expect((await proxy.replay(enrolment)).status).toBe(401);
  });

  it("an enrolment with keys of the proxy's own, or a welcome of its own, makes nobody an agent", async () => {
    const keys = newAgentKeys();
    proxy.rewrite({
      request: (passing) => {
        if (passing.path !== AGENT_PATHS.enrol) return passing;
        const body = JSON.parse(passing.body);
        const content = JSON.parse(body.content);
        return {
          ...passing,
          body: JSON.stringify({
            ...body,
            content: JSON.stringify({ ...content, signKey: publicOf(keys.signKey) }),
          }),
        };
      },
    });
    await expect(program().enroll(await invite(), new AbortController().signal)).rejects.toMatchObject({
      code: "ENROLMENT_INVALID",
    });
    expect(await listAgents(context, {})).toEqual([]);

    proxy.rewrite({
      answer: (passing) => {
        if (passing.path !== AGENT_PATHS.enrol) return passing;
        const { x } = newSigningKey();
        const body = JSON.parse(passing.body);
        return {
          ...passing,
          body: JSON.stringify({ ...body, bundleKey: { kty: "OKP", crv: "Ed25519", x } }),
        };
      },
    });
    await expect(program().enroll(await invite(), new AbortController().signal)).rejects.toMatchObject({
      code: "BUNDLE_REFUSED",
    });
    expect((await listAgents(context, {})).every(({ state }) => state === "pending")).toBe(true);
  });

  it("answers nobody else: other paths, no token, a page's request, too much, the wrong form", async () => {
    const identity = await enrol(await invite());
    const status = async (wire: Parameters<typeof ask>[1]) => (await ask(identity, wire)).status;
    expect(await status({ method: "GET", path: "/api/v1/status" })).toBe(404);
    expect(await status({ method: "GET", path: "/metrics" })).toBe(404);
    expect(await status({ method: "GET", path: AGENT_PATHS.events })).toBe(401);
    const signed = await signedRequest(identity, { method: "GET", path: AGENT_PATHS.events });
    expect(await status({ ...signed, headers: { ...signed.headers, origin: "https://example.com" } })).toBe(
      403,
    );
    expect((await post(identity, AGENT_PATHS.bundle, { v: 1, filler: "x".repeat(64 * 1024) })).status).toBe(
      413,
    );
    expect((await post(identity, AGENT_PATHS.bundle, { v: 2 })).status).toBe(422);
    const good = { v: 1, nonce: nonce(), have: null, accepted: null, facts: FACTS };
    expect((await post(identity, AGENT_PATHS.bundle, good)).status).toBe(200);
    const late = await post(identity, AGENT_PATHS.bundle, good, {
      nowSeconds: Math.floor(Date.now() / 1_000) - 600,
    });
    const told = late.json() as { code: string; details: { aheadSeconds: number } };
    expect(told.code).toBe("AGENT_CLOCK");
    // A second may have begun on the way.
    expect([-600, -601]).toContain(told.details.aheadSeconds);
  });

  it("a hint reaches the agent's stream when something is owed, and carries nothing", async () => {
    const identity = await enrol(await invite());
    const stream = await listen(identity);
    await kit.set("TOKEN", FIRST, context);
    await stream.untilChanges(1);
    expect(stream.heard()).toMatch(/^(?::\n\n|event: change\ndata:\n\n)+$/);
    stream.close();
    await stream.ended;
  });
});
