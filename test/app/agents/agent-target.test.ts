import { createHmac, randomBytes } from "node:crypto";
import { beforeEach, expect, it } from "vitest";
import { agentKind } from "../../../src/adapters/targets/agent/target.ts";
import { serveBundle } from "../../../src/app/agents/bundle/serve-bundle.ts";
import { recordReport } from "../../../src/app/agents/reports/record-report.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { runDoctor } from "../../../src/app/doctor/run-doctor.ts";
import { checkTargets } from "../../../src/app/drift/check-targets.ts";
import { runJob } from "../../../src/app/jobs/run-job.ts";
import { sweep } from "../../../src/app/jobs/sweep.ts";
import { openBundleKey } from "../../../src/app/orders/store-keys.ts";
import { withTarget } from "../../../src/app/targets/open-target.ts";
import { testTarget } from "../../../src/app/targets/test-target.ts";
import { LockstepError, toLockstepError } from "../../../src/core/errors.ts";
import type { Job, Queue } from "../../../src/core/ports/queue.ts";
import type { AgentRecord } from "../../../src/core/store/agents.ts";
import { openMessage, sealMessage } from "../../../src/protocol/agent/envelope.ts";
import { newEncryptionKey, newSigningKey, publicPart } from "../../../src/protocol/agent/keys.ts";
import {
  type Bundle,
  bundleAnswer,
  type Report,
  type ReportedItem,
} from "../../../src/protocol/agent/messages.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { recordTelemetry } from "../../support/telemetry.ts";

const FACTS = { version: "1", hostname: "mini", platform: "linux", instance: "a".repeat(22) };
const FILE = "~/app/env";
const nonce = () => randomBytes(16).toString("base64url");
const never = new AbortController().signal;
const MINI = { environment: "production", name: "mini" };

function signalled() {
  let done = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    done = resolve;
  });
  return { promise, done };
}

describeOnAStore("targets with an agent", (getDatabase) => {
  let kit: LoopKit;
  let context: AppContext;
  let encryptKey: ReturnType<typeof newEncryptionKey>;
  let signKey: ReturnType<typeof newSigningKey>;
  let targetId: string;

  beforeEach(async () => {
    kit = createLoopKit(getDatabase(), { isJudged: true });
    await kit.reset();
    context = kit.other({ targetKinds: new Map([...kit.context.targetKinds, ["agent", agentKind]]) });
    await kit.target("mini");
    [targetId = ""] = await kit.targetIds("mini");
  });

  async function configure(raw: object): Promise<void> {
    const { config } = agentKind.parse(raw);
    await getDatabase().pool.query("update target set kind = 'agent', config = $1 where id = $2", [
      JSON.stringify(config),
      targetId,
    ]);
  }
  const withFile = (more: object = { health: { command: "check" } }) =>
    configure({
      agent: {},
      files: [{ path: FILE, format: "dotenv" }],
      activate: { command: "restart" },
      ...more,
    });
  const withChild = () => configure({ agent: {} });

  async function bind(secret: string, placement: string): Promise<string> {
    if ((await context.store.read.secrets.find("production", secret)) === null) await kit.secret(secret);
    const id = await kit.bind(secret, "mini");
    await getDatabase().pool.query("update binding set placement = $1 where id = $2", [placement, id]);
    await getDatabase().pool.query("update ownership set placement = $1 where binding_id = $2", [
      placement,
      id,
    ]);
    return id;
  }

  async function enrolled(shortLived = false): Promise<string> {
    encryptKey = newEncryptionKey();
    signKey = newSigningKey();
    const enrolmentId = crypto.randomUUID();
    return context.store.transaction(async (tx) => {
      await tx.agents.invite({
        id: enrolmentId,
        targetId,
        lookupHash: enrolmentId,
        macKeySealed: "sealed",
        reusable: shortLived,
        replaces: false,
        actor: TESTER,
        livesMs: 60_000,
      });
      const id = await tx.agents.add({
        targetId,
        enrolmentId,
        shortLived,
        signKey: publicPart(signKey),
        encryptKey: publicPart(encryptKey),
        challengeHash: "",
        facts: FACTS,
        enrolledFrom: null,
        livesMs: 60_000,
      });
      await tx.agents.activate(id);
      return id;
    });
  }

  async function agent(id: string): Promise<AgentRecord> {
    const found = await context.store.read.agents.find(id);
    if (found === null) throw new Error("no agent");
    return found;
  }

  async function ask(id: string, have: { epoch: number; generation: number; digest: string } | null = null) {
    const asked = nonce();
    const key = encryptKey;
    const { sealed } = await serveBundle(context, await agent(id), {
      v: 1,
      nonce: asked,
      have,
      accepted: null,
      facts: FACTS,
    });
    const answer = bundleAnswer.parse(
      await openMessage(sealed, { decryptWith: key, signedBy: publicPart(await openBundleKey(context)) }),
    );
    expect(answer).toMatchObject({ nonce: asked, agentId: id, storeId: context.storeId });
    return answer;
  }

  async function bundle(id: string): Promise<Bundle> {
    const answer = await ask(id);
    if (answer.kind !== "bundle") throw new Error("nothing new");
    return answer;
  }

  function item(slot: Bundle["slots"][number], change: Partial<ReportedItem> = {}): ReportedItem {
    const { bindingId, secretId, placement, key, version, slot: which } = slot;
    return {
      bindingId,
      secretId,
      slot: which,
      placement,
      key,
      version,
      action: "unchanged",
      found: { kind: "version", version },
      ...change,
    };
  }

  const unit = (given: Bundle, state: "requested" | "succeeded" | "blocked", isOwnChild = false) => ({
    key: isOwnChild ? "child" : "command:restart",
    state,
    digest: given.digest,
    isOwnChild,
    incarnation: { pid: 1 },
    error: state === "blocked" ? { code: "ACTIVATION_FAILED", message: "it does not start" } : null,
  });

  /** All was written as the bundle says. */
  function done(given: Bundle, change: Partial<Report> = {}): Report {
    return {
      v: 1,
      epoch: given.epoch,
      look: given.look,
      generation: given.generation,
      digest: given.digest,
      push:
        given.pushId === null
          ? null
          : {
              pushId: given.pushId,
              outcome: "applied",
              before: given.slots.map((slot) => item(slot, { action: "set", found: { kind: "absent" } })),
              error: null,
            },
      seen: given.slots.map((slot) => item(slot)),
      units: [],
      refused: [],
      incidents: [],
      facts: FACTS,
      ...change,
    };
  }

  const report = async (id: string, told: Report) => recordReport(context, await agent(id), told);
  const binding = async () =>
    (
      await kit.rows<{ evidence: string | null; settled: { primary?: number } }>(
        "select evidence, settled from binding where removed_at is null order by created_at, id",
      )
    )[0];
  const pushes = () =>
    kit.rows<{ outcome: string; generation: number; error: string | null }>(
      "select outcome, generation, error_code as error from push order by started_at, id",
    );
  const rollouts = () => kit.rows<{ state: string }>("select state from rollout order by started_at");

  it("what is owed is committed before it is given, the same again until its end is told", async () => {
    await withFile();
    const bindingId = await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    expect(given).toMatchObject({
      target: "mini",
      files: [{ path: FILE, format: "dotenv", mode: "0600" }],
      activate: { command: "restart", timeoutSeconds: 60 },
      health: { command: "check", withinSeconds: 60 },
      slots: [{ bindingId, secret: "TOKEN", version: 1, value: "first", owned: false, settledVersion: null }],
      pruned: [],
    });
    expect(await pushes()).toEqual([{ outcome: "started", generation: given.generation, error: null }]);
    expect((await bundle(id)).pushId).toBe(given.pushId);
    expect(await pushes()).toHaveLength(1);
    expect((await context.store.read.agents.deliveries(id)).map(({ version }) => version)).toEqual([1]);

    await report(id, done(given, { units: [unit(given, "requested")] }));
    expect(await pushes()).toMatchObject([{ outcome: "succeeded" }]);
    expect(await binding()).toEqual({ evidence: "stored", settled: { primary: 1 } });
    expect(await rollouts()).toEqual([{ state: "running" }]);
    await report(id, done({ ...given, pushId: null }, { units: [unit(given, "succeeded")] }));
    expect(await binding()).toEqual({ evidence: "deployed", settled: { primary: 1 } });
    expect(await rollouts()).toEqual([{ state: "done" }]);
    expect(await kit.rows("select evidence from push")).toEqual([{ evidence: "deployed" }]);

    const { epoch, generation, digest } = given;
    expect(await ask(id, { epoch, generation, digest })).toMatchObject({ kind: "unchanged", generation });
    expect(await pushes()).toHaveLength(1);
  });

  it.each([
    ["a command that no health check follows", {}, "command:restart"],
    ["a signal", { activate: { signal: { unit: "app.service" } } }, "signal:app.service"],
    ["a timer's restart", { activate: { systemd: "app.timer" } }, "systemd:app.timer"],
  ])("%s that ended well proves no use", async (_what, more, key) => {
    await withFile(more);
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    await report(id, done(given, { units: [{ ...unit(given, "succeeded"), key }] }));
    expect(await binding()).toEqual({ evidence: "stored", settled: { primary: 1 } });
    expect(await kit.rows("select evidence from push")).toEqual([{ evidence: "stored" }]);
  });

  it("older versions are recognised by codes, and none of their values travels", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "value-one", context);
    await kit.set("TOKEN", "value-two", context);
    const given = await bundle(await enrolled());
    const [slot] = given.slots;
    const mac = createHmac("sha256", Buffer.from(given.macKey, "base64url"))
      .update("value-one")
      .digest("base64url");
    expect(slot).toMatchObject({ version: 2, value: "value-two", known: [{ version: 1, mac }] });
    expect(JSON.stringify(given)).not.toContain("value-one");
  });

  it("a worker tells the agent and writes nothing; without an agent it says what to do", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    const told: string[] = [];
    const agentNotifier = {
      ...context.agentNotifier,
      notify: (ids: readonly string[]) => void told.push(...ids),
    };
    const worker = { ...context, agentNotifier };
    await kit.set("TOKEN", "first", worker);
    expect(told).toContain(targetId);
    await kit.drain(worker);
    expect(told).toContain(targetId);
    expect(await pushes()).toEqual([]);
    expect(await kit.rows("select error_code, gave_up_at from target")).toEqual([
      { error_code: "AGENT_NOT_ENROLLED", gave_up_at: null },
    ]);
    await enrolled();
    await kit.hurry();
    await kit.drain(context);
    expect(await kit.rows("select error_code from target")).toEqual([{ error_code: null }]);
  });

  it("a report may be repeated or late, and changes nothing then; one of an order never given is refused", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const first = await bundle(id);
    await report(id, done(first));
    const audit = () => kit.rows("select id from audit_entry");
    const before = await audit();
    await report(id, done(first));
    expect(await audit()).toEqual(before);
    expect(await pushes()).toHaveLength(1);

    await kit.set("TOKEN", "second", context);
    const second = await bundle(id);
    await report(id, done(second));
    expect(await binding()).toMatchObject({ settled: { primary: 2 } });
    await report(id, done(first));
    expect(await binding()).toMatchObject({ settled: { primary: 2 } });
    expect((await agent(id)).reportedGeneration).toBe(second.generation);

    for (const change of [{ generation: second.generation + 1 }, { epoch: second.epoch + 1 }]) {
      await expect(report(id, done(second, change))).rejects.toMatchObject({ code: "ORDER_REFUSED" });
    }
    const refused = `select from audit_entry where action = 'agent.refused' and subject_id = '${targetId}'`;
    expect(await kit.rows(refused)).toHaveLength(2);
    expect((await agent(id)).reportedGeneration).toBe(second.generation);
  });

  it("pushes and restarts of an agent are counted once, when its report says how they ended", async () => {
    const { telemetry, said } = recordTelemetry();
    context = { ...context, telemetry };
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    expect(said).toEqual([]);
    const ended = (state: "failed" | "succeeded") =>
      done(given, { units: [{ ...unit(given, "succeeded"), state }] });
    const [failed, succeeded] = [ended("failed"), ended("succeeded")];
    for (const told of [failed, failed, succeeded, succeeded]) await report(id, told);
    expect(said.filter((line) => !line.startsWith("during"))).toEqual([
      "push agent succeeded",
      "activation agent failed",
      "activation agent succeeded",
    ]);
  });

  it("what was given before newer intent came settles as that, and the newer one stays owed", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const first = await bundle(id);
    await kit.set("TOKEN", "second", context);
    await report(id, done(first));
    expect(await binding()).toMatchObject({ settled: { primary: 1 }, evidence: "stored" });
    const second = await bundle(id);
    expect(second.slots).toMatchObject([{ version: 2, settledVersion: 1, owned: true }]);
    expect(second.pushId).not.toBe(first.pushId);
    await report(id, done(second));
    expect((await pushes()).map(({ outcome }) => outcome)).toEqual(["succeeded", "succeeded"]);
  });

  it("ruling 30: told several times at once, one is heard, the others later, and an end is settled once", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    const id = await enrolled();
    for (let round = 1; round <= 6; round += 1) {
      await kit.set("TOKEN", `value-${round}`, context);
      const given = await bundle(id);
      const heard = await Promise.allSettled([1, 2, 3, 4].map(() => report(id, done(given))));
      const later = heard.flatMap((one) => (one.status === "rejected" ? [toLockstepError(one.reason)] : []));
      expect(later.length).toBeLessThan(4);
      expect(
        later.every(({ code, retryAfterMs }) => code === "TOO_MANY_REQUESTS" && retryAfterMs === 1_000),
      ).toBe(true);
      expect(await binding()).toMatchObject({ settled: { primary: round } });
    }
    expect(new Set((await pushes()).map(({ outcome }) => outcome))).toEqual(new Set(["succeeded"]));
  });

  it("a place that holds the value already is adopted; a foreign one is left, and its target gives up", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    const push = { pushId: given.pushId ?? "", outcome: "applied" as const, error: null };
    await report(id, done(given, { push: { ...push, before: given.slots.map((slot) => item(slot)) } }));
    expect(await pushes()).toMatchObject([{ outcome: "unchanged" }]);
    expect(await rollouts()).toEqual([{ state: "done" }]);

    await kit.set("TOKEN", "second", context);
    const next = await bundle(id);
    const foreign = next.slots.map((slot) => item(slot, { action: "blocked", found: { kind: "unknown" } }));
    await report(
      id,
      done(next, {
        push: {
          pushId: next.pushId ?? "",
          outcome: "failed",
          before: foreign,
          error: { code: "FOREIGN_VALUE", message: "What stands at TOKEN is not ours, and was left." },
        },
        seen: foreign,
      }),
    );
    expect(await pushes()).toMatchObject([{}, { outcome: "failed", error: "FOREIGN_VALUE" }]);
    expect((await bundle(id)).pushId).toBeNull();
    const [checked] = await checkTargets(context, await records(), never);
    expect(checked?.bindings).toMatchObject([{ state: "foreign" }]);
  });

  const records = async () => {
    const found = await context.store.read.targets.findById(targetId);
    return found === null ? [] : [found];
  };

  it("what the machine's owner does not allow stands on record, and goes on by itself once it is allowed", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    const refused = [
      { what: `file ${FILE}`, reason: "the policy does not name it", add: `files: ["${FILE}"]` },
    ];
    const barred = given.slots.map((slot) =>
      item(slot, { action: "blocked", found: { kind: "unreadable", reason: "not allowed" } }),
    );
    await report(
      id,
      done(given, {
        push: {
          pushId: given.pushId ?? "",
          outcome: "failed",
          before: barred,
          error: { code: "POLICY_REFUSED", message: "The host's owner does not allow it." },
        },
        seen: barred,
        refused,
      }),
    );
    expect(await kit.rows("select error_code, gave_up_at is not null as gave_up from target")).toEqual([
      { error_code: "POLICY_REFUSED", gave_up: true },
    ]);
    expect((await testTarget(context, MINI, never)).checks).toContainEqual({
      name: "policy",
      ok: false,
      message: expect.stringContaining(`file ${FILE}: the policy does not name it`),
    });
    expect(
      await kit.rows(
        `select details from audit_entry where action = 'agent.refused' and subject_id = '${targetId}'`,
      ),
    ).toMatchObject([{ details: { refused: [`file ${FILE}`] } }]);
    expect((await bundle(id)).pushId).toBeNull();
    await report(id, done({ ...given, pushId: null }, { seen: barred }));
    const again = await bundle(id);
    expect(again.pushId).not.toBeNull();
    await report(id, done(again, { units: [unit(again, "succeeded")] }));
    expect(await rollouts()).toEqual([{ state: "done" }]);
  });

  it("a unit that does not start stalls the rollout, with its own words", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    await report(id, done(given, { units: [unit(given, "blocked")] }));
    expect(await kit.rows("select state, reason from rollout")).toMatchObject([
      { state: "stalled", reason: expect.stringContaining("it does not start") },
    ]);
    // No worker touches what an agent restarts.
    await kit.hurry();
    await kit.drain(context);
    await report(id, done({ ...given, pushId: null }, { units: [unit(given, "succeeded")] }));
    expect(await rollouts()).toEqual([{ state: "done" }]);
  });

  it("the agent's own child with these very values is `running`; one with older values proves nothing", async () => {
    await withChild();
    await bind("TOKEN", "");
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    // Staged at once, so the agent sees nothing to write.
    const before = given.slots.map((slot) => item(slot));
    const push = { pushId: given.pushId ?? "", outcome: "applied" as const, before, error: null };
    await report(id, done(given, { push, units: [{ ...unit(given, "succeeded", true), digest: "older" }] }));
    expect(await binding()).toEqual({ evidence: "stored", settled: { primary: 1 } });
    expect(await rollouts()).toEqual([{ state: "running" }]);
    await report(id, done({ ...given, pushId: null }, { units: [unit(given, "succeeded", true)] }));
    expect(await binding()).toEqual({ evidence: "running", settled: { primary: 1 } });
    expect(await rollouts()).toEqual([{ state: "done" }]);
  });

  it("of several containers all must have it; one that is gone is not waited for", async () => {
    await configure({ agent: { shortLived: true } });
    await bind("TOKEN", "");
    await kit.set("TOKEN", "first", context);
    const one = await enrolled(true);
    const oneKey = encryptKey;
    const two = await enrolled(true);
    const given = await bundle(two);
    encryptKey = oneKey;
    const other = await bundle(one);
    expect(other.pushId).toBe(given.pushId);
    await report(one, done(other, { units: [unit(other, "succeeded", true)] }));
    expect(await pushes()).toMatchObject([{ outcome: "started" }]);
    expect(await binding()).toEqual({ evidence: null, settled: {} });

    await getDatabase().pool.query(
      "update agent set last_seen_at = now() - interval '10 minutes' where id = $1",
      [two],
    );
    await kit.hurry();
    await kit.drain(context);
    expect(await binding()).toEqual({ evidence: "running", settled: { primary: 1 } });
    expect(await rollouts()).toEqual([{ state: "done" }]);
  });

  it("an agent speaks of its own target's bindings alone", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.target("api");
    const elsewhere = await kit.bind("TOKEN", "api");
    await kit.set("TOKEN", "first", context);
    const id = await enrolled();
    const given = await bundle(id);
    const forged = given.slots.map((slot) => item(slot, { bindingId: elsewhere }));
    const copy = {
      bindingId: elsewhere,
      slot: "primary" as const,
      file: "/etc/x",
      line: 1,
      key: "TOKEN",
      kind: "file" as const,
      version: 1,
      wins: true,
      open: false,
      alone: true,
    };
    const own = { ...copy, bindingId: given.slots[0]?.bindingId ?? "" };
    await report(id, done(given, { seen: forged, copies: { copies: [copy, own], unread: [] } }));
    const told = await context.store.read.views.bindings({});
    expect(told.flatMap(({ copies }) => copies)).toEqual([own]);
    expect(await kit.rows(`select from target where copies::text like '%${elsewhere}%'`)).toEqual([]);
    expect(await kit.rows(`select from observation where binding_id = '${elsewhere}'`)).toEqual([]);
    expect(await kit.rows(`select evidence from binding where id = '${elsewhere}'`)).toEqual([
      { evidence: null },
    ]);
  });

  it("is asked to ask: the question always, values while a rollout waits, and tokens that are bound to it", async () => {
    const http = { url: "http://127.0.0.1:1/", headers: { A: "{{value}}" }, accepted: [200], refused: [401] };
    const options = {
      probe: { http: { ...http, from: "target" } },
      usage: { url: "http://127.0.0.1:1/usage", token: "USAGE", from: "target" },
    };
    await withFile();
    const verifier = await bind("TOKEN", FILE);
    await getDatabase().pool.query("update binding set options = $1 where id = $2", [
      JSON.stringify(options),
      verifier,
    ]);
    await getDatabase().pool.query("update binding set role = 'verifier' where id = $1", [verifier]);
    await kit.target("api");
    const caller = await kit.bind("TOKEN", "api", { role: "caller", said: { evidence: "attested" } });
    await kit.secret("USAGE");
    await kit.set("USAGE", "canary-usage-token", context);
    await kit.set("TOKEN", "canary-first", context);
    const id = await enrolled();
    await report(id, done(await bundle(id)));
    await kit.drain(context);
    await kit.rows("update rollout set state = 'done'");
    expect((await bundle(id)).asks).toEqual([
      { bindingId: verifier, secret: "TOKEN", ...options, versions: [], tokens: [] },
    ]);

    await kit.set("TOKEN", "canary-second", context);
    const waiting = await bundle(id);
    expect(waiting.asks?.[0]?.versions).toEqual([
      { version: 1, value: "canary-first" },
      { version: 2, value: "canary-second" },
    ]);
    expect(waiting.asks?.[0]?.tokens).toEqual([]);
    await bind("USAGE", FILE);
    expect((await bundle(id)).asks?.[0]?.tokens).toEqual(["canary-usage-token"]);

    await context.store.transaction((tx) => tx.targets.requestReports([targetId]));
    const asked = await bundle(id);
    const answerOf = (bindingId: string) => ({
      bindingId,
      acceptance: [{ version: 2, verdict: "refused" as const, reason: "answered 401" }],
      usage: null,
    });
    await report(id, done(asked, { answers: [answerOf(verifier), answerOf(caller)] }));
    const kept = JSON.stringify(await kit.rows("select report from agent"));
    expect(kept).toContain(verifier);
    // Nobody learns a value in advance, and none that somebody else knows is sent again.
    await kit.rows("update rollout set strategy = 'replace', phase = 'prepare' where state <> 'done'");
    expect((await bundle(id)).asks?.[0]?.versions).toEqual([]);
    await kit.rows("update rollout set strategy = 'overlap', phase = 'accept' where state <> 'done'");
    await kit.rows("update secret_version set compromised_at = now() where version = 1");
    expect((await bundle(id)).asks?.[0]?.versions.map(({ version }) => version)).toEqual([2]);
    await kit.rows("update secret_version set compromised_at = null");
    // What it is only asked with, it has received all the same: revoking it must tell.
    const probe = { http: { ...options.probe.http, counter: true } };
    await kit.rows(`update binding set options = '${JSON.stringify({ probe })}' where id = '${verifier}'`);
    await kit.rows("update rollout set phase = 'retire' where state <> 'done'");
    await kit.rows("delete from agent_delivery");
    const last = await bundle(id);
    expect(last.slots.filter(({ secret }) => secret === "TOKEN").map(({ version }) => version)).toEqual([2]);
    const token = await context.store.read.secrets.find("production", "TOKEN");
    const received = await kit.rows<{ version: number }>(
      `select version from agent_delivery where secret_id = '${token?.id}' order by version`,
    );
    expect(received.map(({ version }) => version)).toEqual([1, 2]);
    expect(kept).not.toContain(caller);
    expect(kept).not.toContain("canary");
  });

  it.each([
    ["gives the job out", false],
    ["refuses everything, and the sweep finds it", true],
  ])(
    "a probe that hangs holds up no report, and the rollout goes on once it answers: the queue %s",
    async (_what, isAway) => {
      const http = {
        url: "http://127.0.0.1:1/",
        headers: { A: "{{value}}" },
        accepted: [200],
        refused: [401],
      };
      await withFile();
      const verifier = await bind("TOKEN", FILE);
      await kit.rows(
        `update binding set role = 'verifier', options = '${JSON.stringify({ probe: { http } })}' where id = '${verifier}'`,
      );
      await kit.target("api");
      await kit.bind("TOKEN", "api", { role: "caller" });
      await kit.set("TOKEN", "first", context);
      const id = await enrolled();
      await report(id, done(await bundle(id)));
      await kit.drain(context);
      await kit.rows("update rollout set state = 'done'");
      await kit.set("TOKEN", "second", context);

      const [answering, asked] = [signalled(), signalled()];
      const enqueued: Job[] = [];
      const server: AppContext = {
        ...context,
        queue: {
          ...context.queue,
          enqueue: async (jobs) => {
            if (isAway) throw new LockstepError("QUEUE_UNAVAILABLE", "away");
            enqueued.push(...jobs);
          },
        },
        prober: {
          probe: async () => {
            asked.done();
            await answering.promise;
            return { verdict: "accepted", reason: "answered 200" };
          },
        },
      };
      const look: Job = { name: "look", id: targetId };
      const phase = () => kit.rows("select phase from rollout where state = 'running'");
      const reportTo = async () => {
        const given = await bundle(id);
        await recordReport(server, await agent(id), done(given, { units: [unit(given, "succeeded")] }));
      };
      // What was written is reported; the gate requests another report, which is to be observed.
      await reportTo();
      await reportTo();
      const { due, isQueued } = await sweep(server);
      expect([isQueued, due.filter(({ name }) => name === "look")]).toEqual([!isAway, [look]]);
      if (!isAway) expect(enqueued).toContainEqual(look);

      const observing = runJob(server, look, never);
      await asked.promise;
      // Nor is one that comes meanwhile.
      await reportTo();
      expect(await phase()).toEqual([{ phase: "accept" }]);
      answering.done();
      await observing;
      expect(await binding()).toMatchObject({ evidence: "proven" });
      // Verifiers are observed once more before callers move.
      await reportTo();
      await runJob(server, look, never);
      expect(await phase()).toEqual([{ phase: "switch" }]);
      expect((await sweep(server)).due).not.toContainEqual(look);
    },
  );

  it("tells of a value that its authority has changed: of its own, signed, instead of the current one", async () => {
    const http = { url: "http://127.0.0.1:1/", headers: { A: "{{value}}" }, accepted: [200], refused: [401] };
    const said = { probe: { http: { ...http, from: "target" } }, authority: true };
    await withFile();
    const bindingId = await bind("TOKEN", FILE);
    await kit.rows(
      `update binding set role = 'verifier', options = '${JSON.stringify(said)}' where id = '${bindingId}'`,
    );
    await kit.secret("OTHER");
    const other = await bind("OTHER", FILE);
    for (const name of ["TOKEN", "OTHER"]) await kit.set(name, `canary-${name}`, context);
    const id = await enrolled();
    await report(id, done(await bundle(id)));
    await kit.drain(context);
    await kit.rows("update rollout set state = 'done'");
    const given = await bundle(id);
    if (given.takeOverKey === undefined) throw new Error("nobody to tell it to");
    const encryptTo = given.takeOverKey;
    const tell = async (content: object, signWith = signKey, about = bindingId) => {
      const whole = { v: 1, kind: "newer", bindingId, instead: 1, value: "canary-set-there", ...content };
      const sealed = await sealMessage(whole, { signWith, encryptTo });
      await report(id, done(given, { newer: [{ bindingId: about, sealed }] }));
    };
    const taken = () => kit.rows("select details from audit_entry where action = 'secret.taken_over'");
    const before = await taken();
    await tell({}, newSigningKey());
    await tell({ instead: 2 });
    await tell({ bindingId: other });
    await tell({ bindingId: other }, signKey, other);
    await tell({ value: "" });
    await report(id, done(given, { newer: [{ bindingId, sealed: "not sealed" }] }));
    expect(await taken()).toEqual(before);

    await tell({});
    await tell({});
    expect((await taken()).slice(before.length)).toMatchObject([
      { details: { from: "mini", version: 2, instead: 1 } },
    ]);
    expect(JSON.stringify(await kit.rows("select report from agent"))).not.toContain("canary");
    const next = await bundle(id);
    expect(next.slots.find((slot) => slot.bindingId === bindingId)?.value).toBe("canary-set-there");
  });

  it("a rollout of many is moved by the queue, and at once where no queue is", async () => {
    const enqueued: Job[] = [];
    let isAway = false;
    const queue: Queue = {
      ...kit.context.queue,
      enqueue: async (jobs) => {
        if (isAway) throw new LockstepError("QUEUE_UNAVAILABLE", "away");
        enqueued.push(...jobs);
      },
    };
    await withFile();
    await bind("TOKEN", FILE);
    for (let count = 0; count < 20; count += 1) {
      await kit.target(`other-${count}`);
      await kit.bind("TOKEN", `other-${count}`);
    }
    await kit.set("TOKEN", "first", context);
    await kit.drain(context);
    const id = await enrolled();
    context = { ...context, queue };
    const given = await bundle(id);
    enqueued.length = 0;
    await report(id, done(given, { units: [unit(given, "succeeded")] }));
    expect(enqueued.map(({ name }) => name)).toEqual(["advance"]);
    expect(await rollouts()).toEqual([{ state: "running" }]);
    isAway = true;
    await report(id, done({ ...given, pushId: null }, { units: [unit(given, "succeeded")] }));
    expect(await rollouts()).toEqual([{ state: "done" }]);
  });

  it("that is away is what doctor names, once, with what to do", async () => {
    await withFile();
    await bind("KEY", FILE);
    const doctor = async () =>
      (await runDoctor(context, { live: true, timeoutMs: 5_000 }, never)).findings.filter(
        ({ target }) => target === "mini",
      );
    expect(await doctor()).toMatchObject([{ id: "agent-away", command: "lockstep agent invite mini" }]);
    const id = await enrolled();
    await getDatabase().pool.query(
      "update agent set last_seen_at = now() - interval '1 hour' where id = $1",
      [id],
    );
    expect(await doctor()).toMatchObject([
      { id: "agent-away", severity: "cannot-tell", command: "lockstep agent list" },
    ]);
    await getDatabase().pool.query("update agent set last_seen_at = now() where id = $1", [id]);
    expect(await doctor()).not.toMatchObject([{ id: "agent-away" }]);
  });

  it("what stands there is told from the last report, while the agent is heard of", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "first", context);
    const observe = async () => {
      const [record] = await records();
      if (record === undefined) throw new Error("no target");
      return withTarget(context, record, (target) =>
        target.observe([{ placement: FILE, key: "TOKEN" }], never),
      );
    };
    await expect(observe()).rejects.toMatchObject({ code: "AGENT_NOT_ENROLLED" });
    const id = await enrolled();
    expect((await observe()).keys).toMatchObject([{ observed: { state: "unreadable" } }]);
    await report(id, done(await bundle(id)));
    expect((await observe()).keys).toMatchObject([{ observed: { state: "recognised", version: 1 } }]);
    await getDatabase().pool.query("update agent set last_seen_at = now() - interval '1 hour'");
    await expect(observe()).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      message: expect.stringMatching(/last heard of (1 h|60 min) ago/),
    });
  });

  it("no value stands in any column but sealed", async () => {
    await withFile();
    await bind("TOKEN", FILE);
    await kit.set("TOKEN", "canary-value-4711", context);
    const id = await enrolled();
    const given = await bundle(id);
    await report(id, done(given, { units: [unit(given, "succeeded")] }));
    for (const table of [
      "agent",
      "agent_delivery",
      "push",
      "push_item",
      "activation",
      "unit",
      "observation",
      "target",
      "audit_entry",
    ]) {
      expect(JSON.stringify(await kit.rows(`select * from ${table}`))).not.toContain("canary-value-4711");
    }
  });
});
