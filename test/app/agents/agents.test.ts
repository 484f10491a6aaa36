import { createHash, createPrivateKey, randomBytes, sign } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { authenticateAgent } from "../../../src/app/agents/authenticate-agent.ts";
import { confirmAgent } from "../../../src/app/agents/enrolment/confirm-agent.ts";
import { enrolAgent } from "../../../src/app/agents/enrolment/enrol-agent.ts";
import { expireAgents } from "../../../src/app/agents/enrolment/expire-agents.ts";
import {
  type Invitation,
  inviteAgent,
  listAgents,
  revokeAgent,
} from "../../../src/app/agents/enrolment/manage-agents.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { openBundleKey } from "../../../src/app/orders/store-keys.ts";
import type { AgentRecord } from "../../../src/core/store/agents.ts";
import {
  deriveEnrolmentKeys,
  enrolmentMac,
  parseEnrolmentCode,
} from "../../../src/protocol/agent/enrolment-code.ts";
import { openMessage } from "../../../src/protocol/agent/envelope.ts";
import { newEncryptionKey, newSigningKey, publicPart, thumbprint } from "../../../src/protocol/agent/keys.ts";
import { type EnrolmentRequest, type Welcome, welcome } from "../../../src/protocol/agent/messages.ts";
import { AGENT_PATHS } from "../../../src/protocol/agent/paths.ts";
import { signRequest } from "../../../src/protocol/agent/request-token.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

const LISTENER = { url: "https://lockstep.example.com:7421", tlsKeyDigest: null };
const MINUTE_MS = 60_000;
const NOTHING = createHash("sha256").update("").digest("base64url");
const nonce = () => randomBytes(16).toString("base64url");

/** A machine: its keys, and what it was told. */
function machine() {
  const signKey = newSigningKey();
  const encryptKey = newEncryptionKey();
  return {
    signKey,
    encryptKey,
    ask(code: string, tamper: (text: string) => string = (text) => text): EnrolmentRequest {
      const parsed = parseEnrolmentCode(code);
      if (parsed === null) throw new Error("no code");
      const { lookup, macKey } = deriveEnrolmentKeys(parsed.random);
      const content = JSON.stringify({
        v: 1,
        lookup,
        nonce: nonce(),
        signKey: publicPart(signKey),
        encryptKey: publicPart(encryptKey),
        facts: { version: "1", hostname: "mini", platform: "linux", instance: nonce() },
      });
      const mac = enrolmentMac(macKey, content);
      const key = createPrivateKey({ key: { ...signKey }, format: "jwk" });
      const signature = sign(null, Buffer.from(content), key).toString("base64url");
      return { content: tamper(content), mac, signature };
    },
    async token(
      agentId: string,
      storeId: string,
      { method = "GET" as const, path = AGENT_PATHS.events as string, atMs = Date.now() } = {},
    ): Promise<string> {
      const request = { agentId, storeId, method, path, bodyDigest: NOTHING, tokenId: nonce() };
      return signRequest(request, signKey, Math.floor(atMs / 1_000));
    },
  };
}
type Machine = ReturnType<typeof machine>;

describeOnAStore("agents: who may", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;

  beforeEach(async () => {
    kit = createLoopKit(getDatabase());
    await kit.reset();
    ({ context } = kit);
    await kit.target("mini");
    await getDatabase().pool.query("update target set kind = 'agent'");
    await kit.target("api");
  });

  const invite = (options: Partial<Invitation> = {}) =>
    inviteAgent(context, TESTER, {
      environment: "production",
      target: "mini",
      reusable: false,
      replace: false,
      livesMs: 15 * MINUTE_MS,
      listener: LISTENER,
      ...options,
    });

  async function greet(one: Machine, code: string): Promise<Welcome> {
    const { sealed, bundleKey } = await enrolAgent(context, one.ask(code));
    expect(thumbprint(bundleKey)).toBe(parseEnrolmentCode(code)?.bundleKeyDigest);
    return welcome.parse(await openMessage(sealed, { decryptWith: one.encryptKey, signedBy: bundleKey }));
  }

  async function become(one: Machine, code: string): Promise<AgentRecord> {
    const { agentId, challenge } = await greet(one, code);
    await confirmAgent(context, await agentOf(agentId), challenge);
    return agentOf(agentId);
  }

  async function agentOf(id: string): Promise<AgentRecord> {
    const agent = await context.store.read.agents.find(id);
    if (agent === null) throw new Error("no agent");
    return agent;
  }

  const asked = async (one: Machine, { id }: { readonly id: string }, token?: string) =>
    authenticateAgent(context, {
      token: token ?? (await one.token(id, context.storeId)),
      method: "GET",
      path: AGENT_PATHS.events,
      bodyDigest: NOTHING,
    });

  const invalid = { code: "ENROLMENT_INVALID", message: expect.stringContaining("not valid") };

  it("a code makes one machine the target's agent, on record", async () => {
    const one = machine();
    const { code, expiresAt } = await invite();
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now());
    const agent = await become(one, code);
    expect(agent).toMatchObject({ state: "active", target: "mini", facts: { hostname: "mini" } });
    expect(await asked(one, agent)).toMatchObject({ id: agent.id });
    expect((await listAgents(context, {})).map(({ id }) => id)).toEqual([agent.id]);
    const actions = await kit.rows<{ action: string }>(
      "select action from audit_entry where action like 'agent.%'",
    );
    expect(actions.map(({ action }) => action)).toEqual(
      expect.arrayContaining(["agent.invited", "agent.enrolled"]),
    );
  });

  it("a code that is used, revoked, expired, unknown or tampered with gives the same answer", async () => {
    const used = (await invite()).code;
    const one = machine();
    await become(one, used);
    await expect(enrolAgent(context, one.ask(used))).rejects.toMatchObject(invalid);
    // To whom it proves that it knows the code, more is told.
    await expect(enrolAgent(context, machine().ask(used))).rejects.toMatchObject({
      code: "ENROLMENT_CONTESTED",
    });
    await expect(
      enrolAgent(context, { ...machine().ask(used), mac: machine().ask(used).mac }),
    ).rejects.toMatchObject(invalid);

    const earlier = (await invite({ replace: true })).code;
    await invite({ replace: true });
    await expect(enrolAgent(context, machine().ask(earlier))).rejects.toMatchObject(invalid);

    const late = (await invite({ replace: true })).code;
    await getDatabase().pool.query("update enrolment set expires_at = now()");
    await expect(enrolAgent(context, machine().ask(late))).rejects.toMatchObject(invalid);

    const { code } = await invite({ replace: true });
    const other = machine().ask(code);
    for (const request of [
      machine().ask(code, (text) => text.replace("mini", "maxi")),
      { ...machine().ask(code), mac: other.mac },
      { ...machine().ask(code), signature: other.signature },
      { ...other, content: "{" },
    ]) {
      await expect(enrolAgent(context, request)).rejects.toMatchObject(invalid);
    }
    await getDatabase().pool.query("delete from enrolment where used_at is null");
    await expect(enrolAgent(context, machine().ask(code))).rejects.toMatchObject(invalid);
  });

  it("of many machines that show one code at once, one becomes the agent", async () => {
    const { code } = await invite();
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () => enrolAgent(context, machine().ask(code))),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await listAgents(context, {})).toHaveLength(1);
  });

  it("lost answers: the same keys ask again, confirm again, and are still one agent", async () => {
    const one = machine();
    const { code } = await invite();
    const lost = await greet(one, code);
    const again = await greet(one, code);
    expect(again.agentId).toBe(lost.agentId);
    const pending = await agentOf(again.agentId);
    await expect(confirmAgent(context, pending, lost.challenge)).rejects.toMatchObject({
      code: "ENROLMENT_INVALID",
    });
    await confirmAgent(context, pending, again.challenge);
    await confirmAgent(context, await agentOf(again.agentId), again.challenge);
    expect((await agentOf(again.agentId)).state).toBe("active");
    await expect(enrolAgent(context, one.ask(code))).rejects.toMatchObject(invalid);
  });

  it("an identity that has not confirmed may do nothing else", async () => {
    const one = machine();
    const { agentId } = await greet(one, (await invite()).code);
    await expect(asked(one, { id: agentId })).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const path = AGENT_PATHS.confirm;
    const token = await one.token(agentId, context.storeId, { path });
    expect(
      await authenticateAgent(context, { token, method: "GET", path, bodyDigest: NOTHING }),
    ).toMatchObject({ state: "pending" });
  });

  it("ruling 12: a second enrolment ends the first identity when it confirms, not before", async () => {
    const [first, second] = [machine(), machine()];
    const before = await become(first, (await invite()).code);
    const { agentId, challenge } = await greet(second, (await invite({ replace: true })).code);
    expect(await asked(first, before)).toMatchObject({ id: before.id });
    await confirmAgent(context, await agentOf(agentId), challenge);
    await expect(asked(first, before)).rejects.toMatchObject({ code: "AGENT_REVOKED" });
    expect(await asked(second, { id: agentId })).toMatchObject({ state: "active" });
  });

  it("a request counts once, for this store, method, path and body, within its minute", async () => {
    const one = machine();
    const agent = await become(one, (await invite()).code);
    const token = await one.token(agent.id, context.storeId);
    await asked(one, agent, token);
    await expect(asked(one, agent, token)).rejects.toMatchObject({ code: "REQUEST_REPLAYED" });
    const given = { method: "GET", path: AGENT_PATHS.events, bodyDigest: NOTHING } as const;
    const fresh = await one.token(agent.id, context.storeId);
    for (const other of [
      { ...given, method: "POST" as const },
      { ...given, path: AGENT_PATHS.bundle },
      { ...given, bodyDigest: createHash("sha256").update("x").digest("base64url") },
    ]) {
      await expect(authenticateAgent(context, { token: fresh, ...other })).rejects.toMatchObject({
        code: "UNAUTHENTICATED",
      });
    }
    for (const wrong of [
      await one.token(agent.id, crypto.randomUUID()),
      await one.token(crypto.randomUUID(), context.storeId),
      await machine().token(agent.id, context.storeId),
      "no.token.atall",
      "",
    ]) {
      await expect(asked(one, agent, wrong)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    }
    const behind = await one.token(agent.id, context.storeId, { atMs: Date.now() - 10 * MINUTE_MS });
    await expect(asked(one, agent, behind)).rejects.toMatchObject({
      code: "AGENT_CLOCK",
      message: expect.stringMatching(/600 s behind|599 s behind|601 s behind/),
    });
    expect((await context.store.read.agents.find(agent.id))?.clockAheadSeconds).toBeLessThan(-590);
    // What is heard with a right clock shows that it is right.
    await kit.rows("update agent set last_seen_at = now() - interval '1 hour'");
    await asked(one, agent, await one.token(agent.id, context.storeId));
    expect((await context.store.read.agents.find(agent.id))?.clockAheadSeconds).toBeNull();
    const ahead = await one.token(agent.id, context.storeId, { atMs: Date.now() + 10 * MINUTE_MS });
    await expect(asked(one, agent, ahead)).rejects.toMatchObject({ code: "AGENT_CLOCK" });
  });

  it("revoking is at once, ends unused codes, and lists what was received", async () => {
    const one = machine();
    const agent = await become(one, (await invite()).code);
    const { code } = await invite({ replace: true });
    await kit.secret("TOKEN");
    const [secretId = ""] = (await kit.rows<{ id: string }>("select id from secret")).map(({ id }) => id);
    await context.store.transaction((tx) => tx.agents.recordDeliveries(agent.id, [{ secretId, version: 3 }]));
    const told: string[] = [];
    const agentNotifier = {
      ...context.agentNotifier,
      notify: (ids: readonly string[]) => void told.push(...ids),
    };
    const ended = await revokeAgent({ ...context, agentNotifier }, TESTER, {
      environment: "production",
      target: "mini",
    });
    expect(told).toEqual([agent.targetId]);
    expect(ended).toMatchObject([{ id: agent.id, received: [{ secret: "TOKEN", version: 3 }] }]);
    await expect(asked(one, agent)).rejects.toMatchObject({ code: "AGENT_REVOKED" });
    await expect(enrolAgent(context, machine().ask(code))).rejects.toMatchObject(invalid);
    await expect(
      revokeAgent(context, TESTER, { environment: "production", target: "mini" }),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("a reusable code is for short-lived identities alone, which end when they are not used", async () => {
    await expect(invite({ reusable: true })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await getDatabase().pool.query(`update target set config = '{"shortLived": true}' where kind = 'agent'`);
    const { code } = await invite({ reusable: true, livesMs: 60 * MINUTE_MS });
    const [one, two] = [machine(), machine()];
    const agents = [await become(one, code), await become(two, code)];
    expect(agents.map(({ state, shortLived }) => [state, shortLived])).toEqual([
      ["active", true],
      ["active", true],
    ]);
    await getDatabase().pool.query(
      "update agent set last_seen_at = now() - interval '2 hours' where id = $1",
      [agents[0]?.id],
    );
    // Before any sweep has looked.
    await expect(asked(one, agents[0] ?? { id: "" })).rejects.toMatchObject({ code: "AGENT_REVOKED" });
    expect(await expireAgents(context)).toBe(1);
    expect((await agentOf(agents[0]?.id ?? "")).state).toBe("expired");
    expect(await asked(two, agents[1] ?? { id: "" })).toMatchObject({ state: "active" });
  });

  it("only targets of this kind have agents, and codes live as long as they may", async () => {
    await expect(invite({ target: "api" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    await expect(invite({ target: "nowhere" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    for (const livesMs of [0, -1, Number.NaN, 16 * MINUTE_MS]) {
      await expect(invite({ livesMs })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    }
    expect(await kit.rows("select from enrolment")).toEqual([]);
  });

  it("two servers that start at once have one bundle key", async () => {
    await getDatabase().pool.query("truncate store_key");
    const keys = await Promise.all([openBundleKey(kit.other()), openBundleKey(kit.other())]);
    expect(keys[0]).toEqual(keys[1]);
  });

  it("nothing of a code, of its keys, or of the bundle's private key stands in the database", async () => {
    const { code } = await invite();
    await become(machine(), code);
    const random = parseEnrolmentCode(code)?.random ?? "";
    const { lookup, macKey } = deriveEnrolmentKeys(random);
    const { d } = await openBundleKey(context);
    for (const table of ["enrolment", "agent", "audit_entry", "store_key", "agent_request"]) {
      const text = JSON.stringify(await kit.rows(`select * from ${table}`));
      expect(text.length).toBeGreaterThan(2);
      for (const canary of [code, random, lookup, macKey, d]) expect(text).not.toContain(canary);
    }
  });
});
