/** Law 7 for the key ring: it goes away in the middle of work. No place is charged with it, a person hears of it once. */
import { beforeEach, expect, it } from "vitest";
import { keptElsewhere } from "../../src/adapters/crypto/ring-sources.ts";
import { openStoreKeys } from "../../src/adapters/crypto/store-keys.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { deliverDue } from "../../src/app/alerts/deliver.ts";
import { watchFindings } from "../../src/app/alerts/watch-findings.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { applyChannels, channelDifferences } from "../../src/app/config/channel-config.ts";
import { runDoctor } from "../../src/app/doctor/run-doctor.ts";
import { checkScheduled } from "../../src/app/drift/check-scheduled.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { sweep } from "../../src/app/jobs/sweep.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { rotateBySchedule } from "../../src/app/secrets/rotate-due.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { JsonObject } from "../../src/core/json.ts";
import type { AlertMessage } from "../../src/core/ports/channel.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startWorker } from "../../src/edges/worker/worker.ts";
import { describeOnAStore } from "../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import { createVersionedRing, type VersionedRing } from "../support/versioned-ring.ts";

const never = new AbortController().signal;
const SECRET = { environment: "production", name: "SECRET" };

describeOnAStore("a key ring that goes away", (database) => {
  let kit: LoopKit;
  let ring: VersionedRing;
  let context: AppContext;
  let sent: AlertMessage[];

  beforeEach(async () => {
    kit = createLoopKit(database());
    await kit.reset();
    await kit.rows("truncate store_meta, channel, alert, delivery cascade");
    ring = createVersionedRing("abcdefghijklmnop");
    sent = [];
    const way = { send: async (_: JsonObject, message: AlertMessage) => void sent.push(message) };
    const keys = await openStoreKeys(createStore(database().openPool()), { wanted: keptElsewhere(ring) });
    context = kit.other({ ...keys, channels: { slack: way, webhook: way, email: way } });
    await kit.target("api");
    await set("first");
    await kit.bind("SECRET", "api");
    await set("second");
  });
  const set = (value: string) => setSecret(context, TESTER, SECRET, { value: SecretValue.of(value) });
  const target = async () =>
    (
      await kit.rows<{
        attempts: number;
        gaveUp: boolean;
        code: string | null;
        settled: boolean;
        soon: boolean;
      }>(
        `select attempts, gave_up_at is not null as "gaveUp", error_code as code,
           settled_generation = generation as settled,
           next_action_at < now() + interval '15 seconds' as soon from target`,
      )
    )[0];
  const targetId = async () => (await kit.targetIds("api"))[0] ?? "";
  const findings = async (live = false) =>
    (await runDoctor(context, { live, timeoutMs: 1_000 }, never)).findings;

  it.each(["KEY_RING_UNAVAILABLE", "KEY_RING_REFUSED"] as const)(
    "%s: a push spends no attempt, is not given up, and arrives when the ring is back",
    async (code) => {
      const { unwrap } = ring;
      ring.unwrap = () => Promise.reject(new LockstepError(code, "The key ring is away."));
      for (let round = 0; round < 3; round += 1) {
        await kit.hurry();
        await reconcileTarget(context, await targetId(), never);
      }
      expect(await target()).toEqual({ attempts: 0, gaveUp: false, code, settled: false, soon: true });
      expect(await kit.rows("select from push")).toEqual([]);
      // Doctor names the ring, and blames no place.
      const told = (await findings()).filter(({ target: at }) => at === "api");
      expect(told.map(({ severity }) => severity)).toEqual(told.map(() => "moving"));
      ring.unwrap = unwrap;
      await kit.hurry();
      await kit.drain(context);
      expect(await target()).toMatchObject({ settled: true, code: null });
    },
  );

  it("a look by schedule records no failure of the place", async () => {
    await kit.drain(context);
    ring.isAway = true;
    await kit.rows("update target set next_check_at = now()");
    await checkScheduled(context, await targetId(), never);
    expect(await context.store.read.checks.failures()).toEqual([]);
    const [row] = await kit.rows("select next_check_at > now() as later from target");
    expect(row).toEqual({ later: true });
  });

  it("doctor says once that it is away, since when, and of no place that it cannot be reached", async () => {
    await kit.drain(context);
    ring.isAway = true;
    for (const live of [false, true]) {
      const told = (await findings(live)).filter(({ severity }) => severity !== "hint");
      expect(told.map(({ id, severity }) => [id, severity])).toEqual([["key-ring-away", "wrong"]]);
      expect(told[0]?.what).toContain(`The key ring ${ring.name} is not available (first noticed`);
    }
    ring.isAway = false;
    expect((await findings()).map(({ id }) => id)).not.toContain("key-ring-away");
  });

  it("doctor names a version that is needed and hidden", async () => {
    await kit.drain(context);
    ring.version = 3;
    ring.oldestOpened = 2;
    expect(await findings()).toContainEqual(
      expect.objectContaining({
        id: "key-version-hidden",
        severity: "wrong",
        what: expect.stringContaining("version 1 is still needed"),
      }),
    );
    // The ring itself answers: only what is old does not open.
    expect((await findings()).map(({ id }) => id)).not.toContain("key-ring-away");
  });

  it("people hear of it by a channel whose credential it sealed, and hear when it is over", async () => {
    const say = async () => {
      const said = { ops: { slack: { url: "https://hooks.slack.com/services/canary-path" } } };
      await context.store.transaction(async (tx) =>
        applyChannels(context, tx, TESTER, await channelDifferences(context, tx, said)),
      );
    };
    const rush = () => kit.rows("update delivery set next_attempt_at = now() where state = 'pending'");
    await say();
    await watchFindings(context);
    ring.isAway = true;
    await watchFindings(context);
    await watchFindings(context);
    await rush();
    await deliverDue(context, never);
    const away = () => sent.filter(({ kind }) => kind === "key-ring-away").map(({ event }) => event);
    expect(away()).toEqual(["opened"]);
    ring.isAway = false;
    await watchFindings(context);
    await rush();
    await deliverDue(context, never);
    expect(away()).toEqual(["opened", "resolved"]);
  });

  it("a message that cannot be sealed open waits, and its channel is not blamed", async () => {
    const said = { ops: { slack: { url: "https://hooks.slack.com/services/canary-path" } } };
    await context.store.transaction(async (tx) =>
      applyChannels(context, tx, TESTER, await channelDifferences(context, tx, said)),
    );
    const alert = { kind: "hand-edit", subjectId: "5c3b2f60-5f0c-4f0e-8d8e-0c2f6a8d9b10", level: "wrong" };
    await context.store.transaction((tx) => tx.alerts.raise({ ...alert, message: "changed", remedy: "" }, 0));
    ring.isAway = true;
    await deliverDue(context, never);
    expect(await kit.rows("select attempts, error_message, state from delivery")).toEqual([
      { attempts: 0, error_message: null, state: "pending" },
    ]);
    ring.isAway = false;
    await kit.rows("update delivery set next_attempt_at = now()");
    await deliverDue(context, never);
    expect(sent).toHaveLength(1);
  });

  it("a rotation that is due by schedule waits for it, and holds up nothing else", async () => {
    await kit.secret("OTHER");
    await setSecret(context, TESTER, { ...SECRET, name: "OTHER" }, { value: SecretValue.of("first") });
    await kit.rows(`update secret set policy = '{"rotate": {"every": "30d"}}' where name = 'OTHER'`);
    await kit.rows("update secret_version set created_at = now() - interval '31 days'");
    await kit.rows("update target set next_action_at = now()");
    const versions = async () => (await kit.rows("select from secret_version")).length;
    ring.isAway = true;
    const { due } = await sweep(context);
    expect(due).toContainEqual({ name: "reconcile", id: await targetId() });
    const rotations = due.filter(({ name }) => name === "rotate");
    expect(rotations).not.toEqual([]);
    for (const { id } of rotations) await rotateBySchedule(context, id, never);
    expect(await kit.rows("select from audit_entry where action = 'rollout.failed'")).toEqual([]);
    expect(await versions()).toBe(3);
    ring.isAway = false;
    for (const { id } of rotations) await rotateBySchedule(context, id, never);
    expect(await versions()).toBe(4);
  });

  it("a worker begins nothing while it is away, says so once, and goes on by itself", async () => {
    const told: string[] = [];
    const timing = { ...context.timing, sweepMs: 5 };
    let wasAsked = 0;
    const settled = new Promise<void>((resolve) => {
      const warn = (message: string, details?: object): void => {
        told.push(`${message} ${(details as { readonly code?: string }).code}`);
      };
      const info = (): void => {};
      context = { ...context, timing, log: { ...context.log, warn, info } };
      const poll = async (): Promise<void> => {
        const row = await target();
        if (row?.settled) resolve();
        else setImmediate(() => void poll());
      };
      // It comes back when it has been found away and was asked again.
      const { wrap } = ring;
      ring.isAway = true;
      ring.wrap = (...parameters) => {
        wasAsked += 1;
        if (wasAsked === 2) ring.isAway = false;
        return wrap(...parameters);
      };
      void poll();
    });
    const worker = await startWorker(context, { concurrency: 1 });
    await settled;
    await worker.close();
    expect(wasAsked).toBeGreaterThanOrEqual(2);
    expect(told.filter((line) => line === "sweep failed KEY_RING_UNAVAILABLE").length).toBeLessThanOrEqual(1);
    expect(await target()).toMatchObject({ settled: true, gaveUp: false });
  });
});
