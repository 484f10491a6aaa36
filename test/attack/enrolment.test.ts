/**
 * Rulings 12 and 28, played over the agents' listener and the API: whoever saw an enrolment code tries to become a
 * target's agent with keys of their own, early, late, beside the real machine, and with what an earlier code left over.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentKind } from "../../src/adapters/targets/agent/target.ts";
import { deliverDue } from "../../src/app/alerts/deliver.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { applyConfig } from "../../src/app/config/apply-config.ts";
import { applyChannels, channelDifferences } from "../../src/app/config/channel-config.ts";
import { sweep } from "../../src/app/jobs/sweep.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { AlertMessage } from "../../src/core/ports/channel.ts";
import { type AgentServer, createAgentServer } from "../../src/edges/http/agents/server.ts";
import { openMessage } from "../../src/protocol/agent/envelope.ts";
import { publicPart, thumbprint } from "../../src/protocol/agent/keys.ts";
import { AGENT_PATHS } from "../../src/protocol/agent/paths.ts";
import type { AgentView, NamedAgent } from "../../src/protocol/api-agents.ts";
import { configSchema } from "../../src/protocol/config.ts";
import { runCli } from "../support/cli-kit.ts";
import { describeOnAStore, somebodyWaitsForLock } from "../support/database.ts";
import { answerOf, createHttpKit, type HttpKit } from "../support/http-kit.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import {
  ask,
  enrol,
  FACTS,
  greet,
  newAgentKeys,
  nonce,
  type PlayedIdentity,
  post,
  signedRequest,
} from "../support/played-agent.ts";

const VALUE = "canary-enrolment-0451";
const never = new AbortController().signal;

/** `mini` as lockstep.yaml says it. */
const MINI = { agent: {}, files: [{ path: "/app/env", format: "dotenv" }] };
const configOf = (mini: object | null) =>
  configSchema.parse({
    environments: {
      production: {
        secrets: { TOKEN: { bindings: mini === null ? [] : [{ target: "mini", role: "both" }] } },
        targets: mini === null ? {} : { mini },
      },
    },
  });

interface Problem {
  readonly code: string;
  readonly hint: string;
  readonly detail: string;
}

describeOnAStore("enrolment codes in the wrong hands", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;
  let server: AgentServer;
  let api: HttpKit;
  let told: AlertMessage[];
  /** The record keeps what earlier tests did. */
  let beganAt: string;

  beforeEach(async () => {
    const { pool } = getDatabase();
    kit = createLoopKit(getDatabase());
    await kit.reset();
    await pool.query("truncate alert, channel, delivery cascade");
    const way = { send: async (_: JsonObject, message: AlertMessage) => void told.push(message) };
    told = [];
    context = kit.other({
      targetKinds: new Map([...kit.context.targetKinds, ["agent", agentKind]]),
      channels: { slack: way, webhook: way, email: way },
    });
    const [{ now } = { now: "" }] = await kit.rows<{ now: string }>("select clock_timestamp()::text as now");
    beganAt = now;
    await apply(MINI);
    await kit.set("TOKEN", VALUE, context);
    await context.store.transaction(async (tx) => {
      const ops = { slack: { url: "https://hooks.slack.com/services/x" } };
      await applyChannels(context, tx, TESTER, await channelDifferences(context, tx, { ops }));
    });
    server = createAgentServer({ context, tls: null });
    const port = await server.listen("127.0.0.1", 0);
    api = await createHttpKit(context, {
      agentListener: { url: `http://127.0.0.1:${port}`, tlsKeyDigest: null, program: null },
    });
  });
  afterEach(async () => {
    await server.close();
    await api.server.close();
  });

  const apply = (mini: object | null) =>
    applyConfig(context, TESTER, { config: configOf(mini), allowShrink: true, duringRollout: true });
  const asked = (body: object = {}, token?: string) =>
    api.ask("/api/v1/targets/production/mini/agent/invite", {
      method: "POST",
      body,
      ...(token === undefined ? {} : { token }),
    });
  const invited = async (body: object = {}) => {
    const answer = await asked(body);
    expect([answer.status, answer.text]).toEqual([200, answer.text]);
    return answerOf("inviteAgent", answer.json());
  };
  const invite = async (body: object = {}) => (await invited(body)).code;
  const revoke = () => api.ask("/api/v1/targets/production/mini/agent/revoke", { method: "POST", body: {} });
  const agents = async (): Promise<readonly AgentView[]> =>
    answerOf("listAgents", (await api.ask("/api/v1/agents")).json()).agents;
  const active = async () => (await agents()).filter(({ state }) => state === "active").map(({ id }) => id);
  const stateOf = async ({ agentId }: PlayedIdentity) =>
    (await agents()).find(({ id }) => id === agentId)?.state;
  const confirm = (identity: PlayedIdentity, { challenge }: { readonly challenge: string }) =>
    post(identity, AGENT_PATHS.confirm, { v: 1, challenge });
  const codeOf = (answer: { json(): unknown }) => (answer.json() as Problem).code;
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
  const fingerprint = ({ signKey }: Pick<PlayedIdentity, "signKey">) =>
    thumbprint(publicPart({ ...signKey, crv: "Ed25519" }));
  /** What was recorded of agents, with why. */
  const recorded = async () =>
    (
      await kit.rows<{ action: string; details: { because?: string; what?: string } }>(
        `select action, details from audit_entry where action like 'agent.%' and at >= '${beganAt}' order by at, id`,
      )
    ).map(({ action, details }) => [action, details.because ?? details.what ?? ""].join(" ").trim());
  /** The store's clock runs on: everything that was begun was begun so much earlier. */
  const pass = async (minutes: number) => {
    const { pool } = getDatabase();
    const earlier = (column: string) => `${column} = ${column} - ${minutes} * interval '1 minute'`;
    await pool.query(`update enrolment set ${["created_at", "expires_at", "used_at"].map(earlier)}`);
    const ofAgents = ["created_at", "activated_at", "last_seen_at", "confirm_until"];
    await pool.query(`update agent set ${ofAgents.map(earlier)}`);
  };

  it("ruling 28: an enrolment begun with a seen code does not outlive the code, nor the owner's next one", async () => {
    const stranger = await greet(await invite());
    const real = await enrol(await invite());
    await pass(18);
    expect((await confirm(stranger.identity, stranger.welcome)).status).toBe(401);
    expect(await stateOf(real)).toBe("active");
    expect((await bundle(stranger.identity)).status).toBe(401);
    const { text } = await bundle(real);
    expect(text).toContain(VALUE);
    // Asked for as by a release that knows no digests of orders: it would refuse what it does not know.
    expect(text).not.toContain("orderDigest");
  });

  it("ruling 28: an enrolment ends with its own code, is swept, and the record says so", async () => {
    const { identity, welcome } = await greet(await invite());
    await pass(16);
    expect(codeOf(await confirm(identity, welcome))).toBe("ENROLMENT_INVALID");
    expect(await stateOf(identity)).toBe("pending");
    const before = (await recorded()).length;
    await sweep(context);
    await sweep(context);
    expect(await stateOf(identity)).toBe("expired");
    expect((await recorded()).slice(before)).toEqual(["agent.enrolment_ended expired"]);
    expect(codeOf(await confirm(identity, welcome))).toBe("AGENT_REVOKED");
    expect(await active()).toEqual([]);
  });

  it("ruling 28: what waited behind the target's lock past the code's end is refused", async () => {
    const database = getDatabase();
    const { identity, welcome } = await greet(await invite());
    const holder = await database.openPool().connect();
    await holder.query("begin");
    await holder.query("select from target for no key update");
    const late = confirm(identity, welcome);
    await somebodyWaitsForLock(database);
    await holder.query("update enrolment set expires_at = clock_timestamp()");
    await holder.query("commit");
    holder.release();
    expect(codeOf(await late)).toBe("ENROLMENT_INVALID");
    expect(await active()).toEqual([]);
  });

  it("ruling 28: an invitation names what was begun, and ends it", async () => {
    const { identity, welcome } = await greet(await invite());
    const listed = (await agents()).find(({ id }) => id === identity.agentId);
    expect(listed).toMatchObject({
      state: "pending",
      target: "mini",
      keyFingerprint: fingerprint(identity),
      enrolledFrom: "127.0.0.1",
    });
    expect(Date.parse(listed?.confirmUntil ?? "") - Date.parse(listed?.createdAt ?? "")).toBeGreaterThan(0);
    const { ended, replaces } = await invited();
    expect(replaces).toEqual([]);
    const { id, target, state, hostname, keyFingerprint, enrolledFrom, createdAt, confirmUntil } =
      listed as NamedAgent;
    expect(ended).toEqual([
      { id, target, state, hostname, keyFingerprint, enrolledFrom, createdAt, confirmUntil },
    ]);
    expect(codeOf(await confirm(identity, welcome))).toBe("AGENT_REVOKED");
    expect(await recorded()).toContain("agent.enrolment_ended invited");
  });

  it("ruling 12: lost answers cost nothing while the code lives, and nothing begins with it afterwards", async () => {
    const keys = newAgentKeys();
    const code = await invite();
    const first = await greet(code, undefined, keys);
    const again = await greet(code, undefined, keys);
    expect(again.identity.agentId).toBe(first.identity.agentId);
    expect((await confirm(again.identity, again.welcome)).status).toBe(204);
    await pass(16);
    // The answer to confirming got lost as well: what was accepted stays accepted.
    expect((await confirm(again.identity, again.welcome)).status).toBe(204);
    expect(await active()).toEqual([again.identity.agentId]);

    await revoke();
    const late = await invite();
    const mine = newAgentKeys();
    await greet(late, undefined, mine);
    await pass(16);
    await expect(greet(late, undefined, mine)).rejects.toThrow("ENROLMENT_INVALID");
    expect(await active()).toEqual([]);
  });

  it("ruling 12: other keys with the same code are refused by name, neither becomes the agent, and the owner hears of it", async () => {
    const code = await invite();
    const stranger = await greet(code);
    const real = newAgentKeys();
    await expect(greet(code, undefined, real)).rejects.toThrow("ENROLMENT_CONTESTED");
    await expect(greet(code, undefined, newAgentKeys())).rejects.toThrow("ENROLMENT_CONTESTED");
    expect(codeOf(await confirm(stranger.identity, stranger.welcome))).toBe("AGENT_REVOKED");
    expect(await active()).toEqual([]);
    // Once for the code, however often it is shown.
    expect((await recorded()).filter((one) => one.startsWith("agent.refused"))).toEqual([
      "agent.refused other keys have shown its code",
    ]);
    await deliverDue(context, never);
    expect(told).toMatchObject([{ event: "opened", kind: "enrolment-contested", level: "wrong" }]);
    expect(told[0]?.message).toContain(fingerprint(stranger.identity));
    expect(told[0]?.message).toContain(fingerprint(real));
    expect(told[0]?.message).toContain("127.0.0.1");
  });

  it("ruling 12: a code that an agent has enrolled with keeps that agent, and its owner hears of other keys, also late", async () => {
    const code = await invite();
    const first = await enrol(code);
    await pass(20);
    await expect(greet(code)).rejects.toThrow("ENROLMENT_CONTESTED");
    expect(await active()).toEqual([first.agentId]);
    await deliverDue(context, never);
    expect(told).toMatchObject([{ kind: "enrolment-contested", remedy: expect.stringContaining("revoke") }]);
    await revoke();
    await deliverDue(context, never);
    expect(told.map(({ event }) => event)).toEqual(["opened", "resolved"]);
  });

  it("ruling 12: a second enrolment takes an administrator's word, ends the first, and opens an alert", async () => {
    const first = await enrol(await invite());
    const refused = await asked();
    expect([refused.status, codeOf(refused)]).toEqual([409, "AGENT_ACTIVE"]);
    expect((refused.json() as Problem).hint).toContain("lockstep agent invite mini --replace");
    expect((refused.json() as Problem).detail).toContain(fingerprint(first));
    expect((await asked({ replace: true }, await api.token("operator"))).status).toBe(403);

    const { code, replaces } = await invited({ replace: true });
    expect(replaces.map(({ id, keyFingerprint }) => [id, keyFingerprint])).toEqual([
      [first.agentId, fingerprint(first)],
    ]);
    // Said, and not done yet: an enrolment that is broken off costs nobody their agent.
    const second = await greet(code);
    expect((await bundle(first)).status).toBe(200);
    expect((await confirm(second.identity, second.welcome)).status).toBe(204);
    expect(await active()).toEqual([second.identity.agentId]);
    expect((await bundle(first)).status).toBe(401);
    await deliverDue(context, never);
    expect(told).toMatchObject([{ event: "opened", kind: "agent-replaced", level: "wrong" }]);
    const [{ message } = { message: "" }] = told;
    for (const part of [fingerprint(first), fingerprint(second.identity), "127.0.0.1", "invited by"])
      expect(message).toContain(part);
    expect(message).toMatch(/ at \d{4}-\d\d-\d\dT/);

    // What happened once is closed after a week, without a word.
    await getDatabase().pool.query("update alert set updated_at = now() - interval '8 days'");
    await sweep(context);
    expect(await kit.rows("select from alert where resolved_at is null")).toEqual([]);
    await deliverDue(context, never);
    expect(told).toHaveLength(1);
  });

  it("ruling 28: the command line names who has begun, whom a code replaces, and what it takes", async () => {
    const { url } = await api.server.listen(0);
    const env = { LOCKSTEP_URL: url, LOCKSTEP_TOKEN: await api.token("admin") };
    const agent = (...words: readonly string[]) => runCli(["agent", ...words], { env });
    const begun = await greet((await agent("invite", "mini")).stdout);
    const key = fingerprint(begun.identity);
    const list = await agent("list");
    expect(list.stdout).toContain("pending");
    expect(list.stdout).toMatch(new RegExp(`begun and not confirmed: mini: .*${key}.* begun 2.*, ends 2`));
    expect((await agent("list", "--json")).json()).toMatchObject({
      agents: [{ target: "mini", state: "pending", keyFingerprint: key, confirmUntil: expect.any(String) }],
    });
    const next = await agent("invite", "mini");
    expect(next.stderr).toMatch(new RegExp(`cancelled an enrolment that was not finished: mini: .*${key}`));
    const first = await enrol(next.stdout);

    const refused = await agent("invite", "mini");
    expect([refused.exitCode, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("AGENT_ACTIVE");
    expect(refused.stderr).toContain("lockstep agent invite mini --replace");
    const replacing = await agent("invite", "mini", "--replace");
    expect(replacing.stderr).toMatch(new RegExp(`this one is revoked: .*${fingerprint(first)}`));
    const second = await enrol(replacing.stdout);
    expect(await active()).toEqual([second.agentId]);
    expect((await agent("invite", "mini", "--replace", "--json")).json()).toMatchObject({
      replaces: [{ id: second.agentId, keyFingerprint: fingerprint(second) }],
      ended: [],
    });
  });

  it("ruling 12: a code without that word replaces nobody, whenever and by whatever release it was made", async () => {
    const first = await enrol(await invite());
    const { identity, welcome } = await greet(await invite({ replace: true }));
    await getDatabase().pool.query("update enrolment set replaces = false");
    expect(codeOf(await confirm(identity, welcome))).toBe("ENROLMENT_INVALID");
    expect(await active()).toEqual([first.agentId]);
    expect(await stateOf(identity)).toBe("revoked");
    expect(await recorded()).toContain(
      "agent.refused its code does not say that the active agent may be replaced",
    );
  });

  it("ruling 28: who has not confirmed can do nothing but that, and who was revoked can do nothing", async () => {
    const report = {
      v: 1,
      epoch: 1,
      generation: 0,
      digest: "",
      push: null,
      seen: [],
      units: [],
      refused: [],
      incidents: [],
      facts: FACTS,
    };
    const tries = async (identity: PlayedIdentity) => {
      const stream = await signedRequest(identity, { method: "GET", path: AGENT_PATHS.events });
      return [
        (await bundle(identity)).status,
        (await post(identity, AGENT_PATHS.report, report)).status,
        (await ask(identity, stream)).status,
      ];
    };
    const { identity, welcome } = await greet(await invite());
    expect(await tries(identity)).toEqual([401, 401, 401]);
    expect((await confirm(identity, welcome)).status).toBe(204);
    expect((await post(identity, AGENT_PATHS.report, report)).status).toBe(204);
    await revoke();
    expect(await tries(identity)).toEqual([401, 401, 401]);
    expect(codeOf(await confirm(identity, welcome))).toBe("AGENT_REVOKED");
    await expect(greet(await invite(), undefined, identity)).rejects.toThrow("ENROLMENT_INVALID");
  });

  it("ruling 12: a target that was removed takes its agents along; one of its name is another one", async () => {
    const agent = await enrol(await invite());
    const { identity, welcome } = await greet(await invite({ replace: true }));
    const unused = async () => kit.rows("select from enrolment where used_at is null and revoked_at is null");
    await apply(null);
    expect(await stateOf(agent)).toBe("revoked");
    expect(codeOf(await confirm(identity, welcome))).toBe("AGENT_REVOKED");
    await apply(MINI);
    expect((await bundle(agent)).status).toBe(401);
    const code = await invite();
    await apply(null);
    expect(await unused()).toEqual([]);
    await apply(MINI);
    await expect(greet(code)).rejects.toThrow("ENROLMENT_INVALID");
    // As an earlier release left it: removed, with an agent that still counted as active.
    await apply(null);
    await getDatabase().pool.query("update agent set state = 'active' where id = $1", [agent.agentId]);
    await apply(MINI);
    expect((await bundle(agent)).status).toBe(401);
  });

  it("ruling 28: a code for many ends with its target's being for many, and each enrolment after 15 minutes", async () => {
    await apply({ ...MINI, agent: { shortLived: true } });
    expect((await asked({ replace: true })).status).toBe(422);
    const code = await invite({ reusable: true });
    const [one, other] = [await greet(code), await greet(code)];
    // Of many, each for itself: none ends another.
    expect((await confirm(one.identity, one.welcome)).status).toBe(204);
    await invite();
    await pass(16);
    expect(codeOf(await confirm(other.identity, other.welcome))).toBe("ENROLMENT_INVALID");
    const begun = await greet(code);
    await apply(MINI);
    expect((await confirm(begun.identity, begun.welcome)).status).toBe(401);
    await expect(greet(code)).rejects.toThrow("ENROLMENT_INVALID");
    // As one that was made in between would be: reusable, at a target for one.
    await getDatabase().pool.query("update enrolment set revoked_at = null");
    await expect(greet(code)).rejects.toThrow("ENROLMENT_INVALID");
    // The one that lives there still takes the word to be replaced, as any.
    expect(codeOf(await asked())).toBe("AGENT_ACTIVE");
    const lasting = await enrol(await invite({ replace: true }));
    expect(await active()).toEqual([lasting.agentId]);
  });

  it("ruling 28: confirming beside an invitation, a revocation or itself ends one way or the other, never both", async () => {
    for (let round = 0; round < 6; round += 1) {
      const { identity, welcome } = await greet(await invite());
      const [confirmed, other] = await Promise.all([confirm(identity, welcome), asked()]);
      expect([
        [204, 409],
        [401, 200],
      ]).toContainEqual([confirmed.status, other.status]);
      expect(await active()).toEqual(confirmed.status === 204 ? [identity.agentId] : []);
      await revoke();
    }
    for (let round = 0; round < 6; round += 1) {
      const { identity, welcome } = await greet(await invite());
      const [, ended] = await Promise.all([confirm(identity, welcome), revoke()]);
      expect(ended.status).toBe(200);
      expect(await active()).toEqual([]);
      expect(await stateOf(identity)).toBe("revoked");
    }
    const { identity, welcome } = await greet(await invite());
    const both = await Promise.all([confirm(identity, welcome), confirm(identity, welcome)]);
    expect(both.map(({ status }) => status)).toEqual([204, 204]);
    expect((await recorded()).filter((one) => one === "agent.enrolled").length).toBe(
      (await agents()).filter(({ activatedAt }) => activatedAt !== null).length,
    );
    // And two that were both begun, as an earlier release allowed: one replaces, the other is too late.
    await revoke();
    const [one, two] = [await greet(await invite()), await greet(await invite())];
    await getDatabase().pool.query("update agent set state = 'pending', ended_at = null where id = $1", [
      one.identity.agentId,
    ]);
    const raced = await Promise.all([one, two].map((each) => confirm(each.identity, each.welcome)));
    expect(raced.map(({ status }) => status).sort()).toEqual([204, 401]);
    expect(await active()).toHaveLength(1);
  });

  it("ruling 28: removing the target beside a confirmation leaves no agent behind", async () => {
    for (let round = 0; round < 4; round += 1) {
      const { identity, welcome } = await greet(await invite());
      await Promise.all([confirm(identity, welcome), apply(null)]);
      expect(await active()).toEqual([]);
      expect((await bundle(identity)).status).toBe(401);
      await apply(MINI);
      expect((await bundle(identity)).status).toBe(401);
    }
  });
});
