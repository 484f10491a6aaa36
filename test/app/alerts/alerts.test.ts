/** From a finding to a person, on a real store: told once, told when it is over, tried again, and never with a value. */
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deliverDue } from "../../../src/app/alerts/deliver.ts";
import { silenceAlerts } from "../../../src/app/alerts/silence-alerts.ts";
import { testChannels } from "../../../src/app/alerts/test-channels.ts";
import { watchFindings } from "../../../src/app/alerts/watch-findings.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { openChannel } from "../../../src/app/base/open-channel.ts";
import { applyChannels, channelDifferences } from "../../../src/app/config/channel-config.ts";
import { checkTargets } from "../../../src/app/drift/check-targets.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { AlertMessage } from "../../../src/core/ports/channel.ts";
import type { VaultTokenHealth } from "../../../src/core/ports/vault-token.ts";
import type { AlertsConfig } from "../../../src/protocol/alerts.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { scriptedPlace } from "../../support/scripted-target.ts";

const never = new AbortController().signal;
const SLACK = { slack: { url: "https://hooks.slack.com/services/canary-path" } };
const EMAIL = {
  email: {
    host: "smtp.example.com",
    port: 587,
    tls: "starttls" as const,
    from: "lockstep@example.com",
    to: ["a@example.com", "b@example.com"],
  },
};
const SUBJECT = "5c3b2f60-5f0c-4f0e-8d8e-0c2f6a8d9b10";
const ALERT = { kind: "hand-edit", subjectId: SUBJECT, level: "wrong", message: "changed", remedy: "heal" };

describeOnAStore("alerts", (database) => {
  let kit: LoopKit;
  let sent: AlertMessage[];
  let configs: JsonObject[];
  /** What the way to people answers, each time; nothing: it takes the message. */
  let failures: LockstepError[];

  const process = (overrides: Partial<AppContext> = {}): AppContext => {
    const way = {
      send: async (config: JsonObject, message: AlertMessage) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        configs.push(config);
        sent.push(message);
      },
    };
    return kit.other({ channels: { slack: way, webhook: way, email: way }, ...overrides });
  };
  const say = (alerts: AlertsConfig | undefined) =>
    kit.context.store.transaction(async (tx) => {
      const differences = await channelDifferences(kit.context, tx, alerts);
      await applyChannels(kit.context, tx, TESTER, differences);
      return differences.map(({ action, name }) => `${action} ${name}`);
    });
  const raise = (alert: Partial<typeof ALERT> = {}, holdMs = 0) =>
    kit.context.store.transaction((tx) => tx.alerts.raise({ ...ALERT, ...alert }, holdMs));
  const resolve = () => kit.context.store.transaction((tx) => tx.alerts.resolve(ALERT.kind, SUBJECT));
  const deliver = () => deliverDue(process(), never);
  const later = () =>
    sql`update delivery set next_attempt_at = now() - interval '1 ms'`.execute(database().db);
  const events = () => sent.map(({ event }) => event);
  const unavailable = () => new LockstepError("CHANNEL_UNAVAILABLE", "Cannot reach it.");
  const refused = () => new LockstepError("CHANNEL_REFUSED", "It answered 404.");

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    await sql`truncate alert, channel, delivery, silence cascade`.execute(database().db);
    sent = [];
    configs = [];
    failures = [];
  });

  it("channels are what the configuration says, and stay where it is silent", async () => {
    expect(await say({ ops: SLACK })).toEqual(["create ops"]);
    expect(await say({ ops: SLACK })).toEqual([]);
    expect(await say(undefined)).toEqual([]);
    expect(await say({ ops: { slack: { url: "https://hooks.slack.com/services/other" } } })).toEqual([
      "change ops",
    ]);
    expect(await say({})).toEqual(["remove ops"]);
    expect(await say({ ops: SLACK })).toEqual(["create ops"]);
  });

  it("a channel's credential is sealed, and opens only for the address that it was given for", async () => {
    await say({
      hook: { webhook: { url: "https://example.com/a", secret: "whsec_canary-secret" } },
      ops: SLACK,
    });
    const kept = JSON.stringify(await kit.rows("select * from channel"));
    const recorded = JSON.stringify(await kit.rows("select * from audit_entry"));
    for (const text of [kept, recorded]) expect(text).not.toContain("canary");
    const [hook] = await kit.context.store.read.channels.all();
    if (hook === undefined) expect.fail("no channel");
    expect(await openChannel(kit.context, hook)).toMatchObject({ secret: "whsec_canary-secret" });
    const moved = { ...hook, config: { ...hook.config, url: "https://evil.example/a" } };
    await expect(openChannel(kit.context, moved)).rejects.toMatchObject({ code: "SEALED_UNREADABLE" });
  });

  it("everybody is told once, and when it is over", async () => {
    await say({ ops: SLACK, two: { slack: { url: "https://hooks.slack.com/services/two" } } });
    await raise();
    expect(await deliver()).toBe(2);
    expect(await deliver()).toBe(0);
    expect(events()).toEqual(["opened", "opened"]);
    expect(configs).toContainEqual({ url: SLACK.slack.url });
    await resolve();
    await deliver();
    expect(events()).toEqual(["opened", "opened", "resolved", "resolved"]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(4);
  });

  it("who has a mail of several does not get it again; everybody gets newer words, and the end", async () => {
    await say({ ops: EMAIL });
    const [heard, tried] = [[] as (readonly string[])[], [] as AlertMessage[]];
    const answers: (readonly string[] | null)[] = [];
    const way = {
      send: async (
        _config: JsonObject,
        message: AlertMessage,
        _signal: AbortSignal,
        reached?: readonly string[],
      ) => {
        heard.push(reached ?? []);
        tried.push(message);
        const has = answers.shift() ?? null;
        if (has === null) return;
        throw new LockstepError("CHANNEL_UNAVAILABLE", "not for b", { details: { reached: has } });
      },
    };
    const context = process({ channels: { slack: way, webhook: way, email: way } });
    const states = async () =>
      (await kit.rows("select state, reached from delivery")) as { state: string; reached: string[] }[];
    answers.push(["a@example.com"], ["a@example.com"]);
    await raise({ level: "failing" });
    await deliverDue(context, never);
    expect(await states()).toEqual([{ state: "pending", reached: ["a@example.com"] }]);
    await later();
    await deliverDue(context, never);
    // Newer words, of which nobody has any.
    await raise({ level: "urgent" });
    await later();
    await deliverDue(context, never);
    expect(await states()).toEqual([{ state: "delivered", reached: [] }]);
    answers.push(["b@example.com"]);
    await resolve();
    await deliverDue(context, never);
    await later();
    await deliverDue(context, never);
    expect(heard).toEqual([[], ["a@example.com"], [], [], ["b@example.com"]]);
    expect(tried.map(({ event }) => event)).toEqual(["opened", "opened", "opened", "resolved", "resolved"]);
    expect((await states()).every(({ state }) => state === "delivered")).toBe(true);
  });

  it("what gets newer words, or ends, while it is sent, is not delivered by the older ones", async () => {
    await say({ ops: SLACK });
    const during: (() => Promise<unknown>)[] = [];
    const tried: AlertMessage[] = [];
    const way = {
      send: async (_config: JsonObject, message: AlertMessage) => {
        tried.push(message);
        await during.shift()?.();
      },
    };
    const context = process({ channels: { slack: way, webhook: way, email: way } });
    await raise({ level: "failing" });
    during.push(() => raise({ level: "urgent", message: "worse" }));
    await deliverDue(context, never);
    await deliverDue(context, never);
    expect(tried.map(({ event, message }) => [event, message])).toEqual([
      ["opened", "changed"],
      ["changed", "worse"],
    ]);
    await raise({ level: "critical" });
    during.push(resolve);
    await deliverDue(context, never);
    await later();
    await deliverDue(context, never);
    expect(tried.slice(2).map(({ event }) => event)).toEqual(["changed", "resolved"]);
  });

  it("an address that is gone is not asked again", async () => {
    await say({ ops: SLACK });
    await raise();
    failures = [new LockstepError("CHANNEL_REFUSED", "It answered 410.", { details: { gone: true } })];
    await deliver();
    await later();
    expect(await deliver()).toBe(0);
    expect(await kit.rows("select state from delivery")).toEqual([{ state: "undeliverable" }]);
  });

  it("what escalates is told again; what was not sent yet, once, as it is now", async () => {
    await say({ ops: SLACK });
    await raise({ level: "failing" });
    await raise({ level: "urgent", message: "worse" });
    await deliver();
    expect(sent.map(({ event, level, message }) => [event, level, message])).toEqual([
      ["opened", "urgent", "worse"],
    ]);
    await raise({ level: "critical" });
    await deliver();
    expect(events()).toEqual(["opened", "changed"]);
  });

  it("what is over before its time is told to nobody", async () => {
    await say({ ops: SLACK });
    await raise({}, 60_000);
    expect(await deliver()).toBe(0);
    await resolve();
    await later();
    expect(await deliver()).toBe(0);
    await raise({}, 60_000);
    await later();
    await deliver();
    expect(events()).toEqual(["opened"]);
  });

  describe("many at once", () => {
    let together: (readonly AlertMessage[])[];
    const HOOK = { webhook: { url: "https://example.com/a", secret: "whsec_canary-secret" } };
    const deliverTogether = () => {
      const { slack, webhook, email } = process().channels;
      const sendTogether = async (_config: JsonObject, messages: readonly AlertMessage[]) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        together.push(messages);
      };
      return deliverDue(process({ channels: { slack: { ...slack, sendTogether }, webhook, email } }), never);
    };
    const raiseMany = async (count: number) => {
      for (let number = 0; number < count; number += 1)
        await raise({ subjectId: SUBJECT.replace(/..$/, String(10 + number)), message: `place ${number}` });
    };
    beforeEach(() => {
      together = [];
    });

    it("people are told in one message, a program of each", async () => {
      await say({ ops: SLACK, hook: HOOK });
      await raiseMany(12);
      while ((await deliverTogether()) > 0);
      expect(together.map((messages) => messages.length)).toEqual([12]);
      expect(sent).toHaveLength(12);
      expect(await deliverTogether()).toBe(0);
    });

    it("a few are told one by one, each with what repairs it", async () => {
      await say({ ops: SLACK });
      await raiseMany(3);
      await deliverTogether();
      expect(together).toEqual([]);
      expect(sent).toHaveLength(3);
    });

    it("what does not arrive is tried again, all of it", async () => {
      await say({ ops: SLACK });
      await raiseMany(5);
      failures = [unavailable()];
      await deliverTogether();
      expect((await kit.context.store.read.channels.health())[0]).toMatchObject({ waiting: 5 });
      // Each has its own count of tries, and its own pause.
      expect(
        await kit.rows("select attempts from delivery where attempts = 1 and error_message is not null"),
      ).toHaveLength(5);
      await later();
      await deliverTogether();
      expect(together.map((messages) => messages.length)).toEqual([5]);
      expect((await kit.context.store.read.channels.health())[0]).toMatchObject({ waiting: 0, error: null });
    });
  });

  it("what does not arrive is tried again, and shown meanwhile", async () => {
    await say({ ops: SLACK });
    failures = [unavailable(), unavailable()];
    await raise();
    await deliver();
    expect(await deliver()).toBe(0);
    const { channels } = kit.context.store.read;
    expect(await channels.health()).toMatchObject([
      { name: "ops", waiting: 1, error: { message: "Cannot reach it.", isOver: false } },
    ]);
    await later();
    await deliver();
    await later();
    await deliver();
    expect(events()).toEqual(["opened"]);
    expect(await channels.health()).toMatchObject([{ waiting: 0, error: null }]);
  });

  it("what is refused three times is given up, and stays visible until something arrives", async () => {
    await say({ ops: SLACK });
    failures = [refused(), refused(), refused()];
    await raise();
    for (let tries = 0; tries < 4; tries += 1) {
      await deliver();
      await later();
    }
    const { channels } = kit.context.store.read;
    expect(await channels.health()).toMatchObject([{ waiting: 0, error: { isOver: true } }]);
    expect(sent).toEqual([]);
    await raise({ subjectId: "5c3b2f60-5f0c-4f0e-8d8e-0c2f6a8d9b11" });
    await deliver();
    expect(await channels.health()).toMatchObject([{ error: null }]);
  });

  it("of processes that race, one sends", async () => {
    await say({ ops: SLACK });
    await raise();
    await Promise.all(Array.from({ length: 8 }, () => deliver()));
    expect(events()).toEqual(["opened"]);
  });

  it("a silence keeps what opens meanwhile, of one kind or of all", async () => {
    await say({ ops: SLACK });
    await silenceAlerts(process(), TESTER, { kind: "unreachable", forMs: 60_000, reason: "moving" });
    await raise();
    await deliver();
    expect(events()).toEqual(["opened"]);
    await silenceAlerts(process(), TESTER, { kind: null, forMs: 60_000, reason: "moving" });
    await raise({ subjectId: "5c3b2f60-5f0c-4f0e-8d8e-0c2f6a8d9b12" });
    await deliver();
    expect(events()).toEqual(["opened"]);
    expect(await kit.context.store.read.alerts.list({ open: true, limit: 10 })).toHaveLength(2);
    await sql`update silence set until = now()`.execute(database().db);
    await raise({ subjectId: "5c3b2f60-5f0c-4f0e-8d8e-0c2f6a8d9b13" });
    await deliver();
    expect(events()).toEqual(["opened", "opened"]);
  });

  it("a test says what became of each message", async () => {
    await expect(testChannels(process(), TESTER, undefined, never)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await say({ ops: SLACK, two: SLACK });
    failures = [refused()];
    expect(await testChannels(process(), TESTER, undefined, never)).toMatchObject([
      { channel: "ops", error: { code: "CHANNEL_REFUSED" } },
      { channel: "two", error: null },
    ]);
    expect(events()).toEqual(["test"]);
    await expect(testChannels(process(), TESTER, "three", never)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });

  it("what doctor finds on record opens an alert, once for all processes, and resolves it", async () => {
    await say({ ops: SLACK });
    const place = await kit.target("api");
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api");
    await kit.set("AUTH", "canary-good");
    await kit.drain();
    const look = async () => {
      const [id = ""] = await kit.targetIds("api");
      const record = await kit.context.store.read.targets.findById(id);
      await checkTargets(process(), record === null ? [] : [record], never);
    };
    await look();
    await watchFindings(process());
    await deliver();
    expect(sent).toEqual([]);

    scriptedPlace(place).values.set("AUTH", "canary-by-hand");
    await look();
    await Promise.all(Array.from({ length: 6 }, () => watchFindings(process())));
    await watchFindings(process());
    await deliver();
    expect(sent).toMatchObject([
      { event: "opened", kind: "hand-edit", remedy: "lockstep heal --target api --secret AUTH" },
    ]);
    expect(JSON.stringify(sent)).not.toContain("canary");
    await look();
    await watchFindings(process());
    expect(await deliver()).toBe(0);

    // As after a migration, while another process judges the store: what is not judged is not over.
    await kit.rows("delete from judgement");
    await kit.rows("insert into judgement_owed (kind, subject_id) select 'secret', id from secret");
    await kit.context.store.transaction(async (tx) => {
      await tx.checks.takeTurn("judge");
      await watchFindings(process());
    });
    expect(await deliver()).toBe(0);
    await watchFindings(process());
    expect(await deliver()).toBe(0);

    scriptedPlace(place).values.set("AUTH", "canary-good");
    await look();
    await watchFindings(process());
    await deliver();
    expect(events()).toEqual(["opened", "resolved"]);
    const actions = await kit.rows<{ action: string }>(
      "select action from audit_entry where action like 'alert.%' and actor->>'kind' = 'system' order by at desc limit 2",
    );
    expect(actions.map(({ action }) => action)).toEqual(["alert.resolved", "alert.opened"]);
  });

  it("a token for Vault that ends soon reaches a person, and is over when another is given", async () => {
    await say({ ops: SLACK });
    const endsForGoodAt = new Date(Date.now() + 3_600_000);
    const told: VaultTokenHealth = {
      logIn: { kind: "token-file" },
      keeps: ["the value store secret/lockstep"],
      state: "good",
      isHeld: true,
      madeAt: null,
      endsAt: endsForGoodAt,
      endsForGoodAt,
      usesLeft: null,
      failure: null,
    };
    const watch = async (health: VaultTokenHealth) => {
      await watchFindings(process({ vaultToken: { health: () => health } }));
      await deliver();
    };
    await watch(told);
    await watch(told);
    expect(sent).toMatchObject([{ event: "opened", kind: "vault-token-ends" }]);
    await watch({ ...told, endsForGoodAt: null });
    expect(events()).toEqual(["opened", "resolved"]);
  });
});
