/**
 * Rulings 12 and 28, played over the agents' listener and the API: whoever saw an enrolment code tries to become a
 * target's agent with keys of their own, early, late, beside the real machine, and with what an earlier code left over.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentKind } from "../../src/adapters/targets/agent/target.ts";
import type { AppContext } from "../../src/app/context.ts";
import { type AgentServer, createAgentServer } from "../../src/edges/http/agents/server.ts";
import { openMessage } from "../../src/protocol/agent/envelope.ts";
import { AGENT_PATHS } from "../../src/protocol/agent/paths.ts";
import type { AgentView } from "../../src/protocol/api-agents.ts";
import { describeOnAStore } from "../support/database.ts";
import { createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { enrol, FACTS, greet, nonce, type PlayedIdentity, post } from "../support/played-agent.ts";

const VALUE = "canary-enrolment-0451";

describeOnAStore("enrolment codes in the wrong hands", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;
  let server: AgentServer;
  let api: HttpKit;

  beforeEach(async () => {
    kit = createLoopKit(getDatabase());
    await kit.reset();
    await getDatabase().pool.query("truncate alert, channel cascade");
    context = kit.other({ targetKinds: new Map([...kit.context.targetKinds, ["agent", agentKind]]) });
    await kit.target("mini");
    const { config } = agentKind.parse({ agent: {}, files: [{ path: "/app/env", format: "dotenv" }] });
    await getDatabase().pool.query("update target set kind = 'agent', config = $1", [JSON.stringify(config)]);
    await kit.secret("TOKEN");
    await kit.bind("TOKEN", "mini");
    for (const table of ["binding", "ownership"])
      await getDatabase().pool.query(`update ${table} set placement = '/app/env'`);
    await kit.set("TOKEN", VALUE, context);
    server = createAgentServer({ context, tls: null });
    const port = await server.listen("127.0.0.1", 0);
    api = await createHttpKit(context, {
      agentListener: { url: `http://127.0.0.1:${port}`, tlsKeyDigest: null },
    });
  });
  afterEach(async () => {
    await server.close();
    await api.server.close();
  });

  const asked = (body: object = {}, token?: string) =>
    api.ask("/api/v1/targets/production/mini/agent/invite", {
      method: "POST",
      body,
      ...(token === undefined ? {} : { token }),
    });
  const invite = async (body: object = {}) => {
    const answer = await asked(body);
    expect([answer.status, answer.text]).toEqual([200, answer.text]);
    return (answer.json() as { code: string }).code;
  };
  const agents = async () =>
    ((await api.ask("/api/v1/agents")).json() as { agents: readonly AgentView[] }).agents;
  const stateOf = async ({ agentId }: PlayedIdentity) =>
    (await agents()).find(({ id }) => id === agentId)?.state;
  const confirm = (identity: PlayedIdentity, { challenge }: { readonly challenge: string }) =>
    post(identity, AGENT_PATHS.confirm, { v: 1, challenge });
  const bundle = async (identity: PlayedIdentity) => {
    const answer = await post(identity, AGENT_PATHS.bundle, {
      v: 1,
      nonce: nonce(),
      have: null,
      facts: FACTS,
    });
    const { encryptKey: decryptWith, bundleKey: signedBy } = identity;
    const { sealed = "" } = answer.json() as { sealed?: string };
    const opened = answer.status === 200 ? await openMessage(sealed, { decryptWith, signedBy }) : null;
    return { status: answer.status, text: JSON.stringify(opened) };
  };
  /** The store's clock runs on: everything that was begun was begun so much earlier. */
  const pass = async (minutes: number) => {
    const { pool } = getDatabase();
    const earlier = (column: string) => `${column} = ${column} - ${minutes} * interval '1 minute'`;
    await pool.query(`update enrolment set ${["created_at", "expires_at", "used_at"].map(earlier)}`);
    await pool.query(`update agent set ${["created_at", "activated_at", "last_seen_at"].map(earlier)}`);
  };

  it("ruling 28: an enrolment begun with a seen code does not outlive the code, nor the owner's next one", async () => {
    const stranger = await greet(await invite());
    const real = await enrol(await invite());
    await pass(18);
    expect((await confirm(stranger.identity, stranger.welcome)).status).toBe(401);
    expect(await stateOf(real)).toBe("active");
    expect((await bundle(stranger.identity)).status).toBe(401);
    expect((await bundle(real)).text).toContain(VALUE);
  });
});
