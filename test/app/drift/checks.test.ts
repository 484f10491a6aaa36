/** Looks by schedule: one at a time, what they find on record, and healed only where the configuration says so. */
import { sql } from "kysely";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { checkDue, checkEveryMs, checkScheduled } from "../../../src/app/drift/check-scheduled.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { bindingStatus } from "../../../src/app/status/binding-status.ts";
import { testTarget } from "../../../src/app/targets/test-target.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { ProbeResult } from "../../../src/core/ports/target.ts";
import type { TargetKind } from "../../../src/core/ports/target-kind.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { type ScriptedPlace, scriptedKind, scriptedPlace } from "../../support/scripted-target.ts";

const never = new AbortController().signal;

describeOnAStore("checks by schedule", (database) => {
  let kit: LoopKit;
  let place: ScriptedPlace;
  let id: string;

  const check = () => checkScheduled(kit.other(), id, never);
  const due = () => kit.context.store.read.checks.due(10);
  const itIsTime = () => sql`update target set next_check_at = now()`.execute(database().db);
  const found = async () =>
    (await kit.context.store.read.views.bindings({})).map((row) => [row.found, row.foundVersion]);
  const heals = async () =>
    (
      await kit.rows<{ actor: { id: string } }>(
        `select actor from audit_entry where action = 'target.healed' and subject_id = '${id}'`,
      )
    ).map(({ actor }) => actor.id);
  const healing = (key: string) =>
    sql`update binding set drift = 'heal' where key = ${key}`.execute(database().db);

  beforeAll(() => {
    kit = createLoopKit(database(), { isJudged: true });
  });
  beforeEach(async () => {
    await kit.reset();
    place = scriptedPlace(await kit.target("api"));
    [id = ""] = await kit.targetIds("api");
    for (const [name, value] of [
      ["AUTH", "good"],
      ["OTHER", "fine"],
    ] as const) {
      await kit.secret(name);
      await kit.bind(name, "api");
      await kit.set(name, value);
    }
    await kit.drain();
  });

  it("what stands there is on record, and the next look is due later", async () => {
    expect(await due()).toEqual([id]);
    place.values.set("AUTH", "by hand");
    await check();
    expect(await found()).toContainEqual(["unknown", null]);
    expect(await due()).toEqual([]);
    const looks = place.observes;
    await check();
    expect(place.observes).toBe(looks);
    expect(await heals()).toEqual([]);
  });

  it("another secret's value is named, in whichever environment, and an old one of its own", async () => {
    const nearly = async () => (await kit.context.store.read.views.bindings({}))[0]?.foundReason;
    const look = async (value: string) => {
      place.values.set("AUTH", value);
      await itIsTime();
      await check();
      return await nearly();
    };
    await kit.secret("GATEWAY_TOKEN");
    await kit.set("GATEWAY_TOKEN", "the-token-of-the-gateway");
    const { store, fingerprinter } = kit.context;
    const staging = await setSecret(
      kit.context,
      TESTER,
      { environment: "staging", name: "AUTH" },
      { value: SecretValue.of("the-value-of-staging") },
    );
    expect(staging.version).toBe(1);
    expect(await look("the-token-of-the-gateway")).toBe("it is v1 of GATEWAY_TOKEN");
    expect(await look("the-value-of-staging")).toBe("it is v1 of staging's AUTH");
    // What could be guessed is not named.
    expect(await look("fine")).toBeNull();
    expect(await look("never-ours-and-long-enough")).toBeNull();
    for (let count = 0; count < 22; count += 1) await kit.set("AUTH", `one-of-many-values-${count}`);
    await kit.drain();
    expect(await look("one-of-many-values-0")).toBe("it is v2, from long ago");

    const secret = await store.read.secrets.find("staging", "AUTH");
    const fingerprints = new Map([
      [secret?.id ?? "", fingerprinter.fingerprint(secret?.id ?? "", SecretValue.of("another"))],
    ]);
    expect(await store.read.secrets.versionsWithFingerprint(fingerprints)).toEqual([]);
  });

  it("a place that cannot be looked at keeps no other from it", async () => {
    const other = scriptedPlace(await kit.target("web"));
    await kit.bind("AUTH", "web");
    await kit.context.store.transaction(async (tx) =>
      tx.targets.bumpGenerations(await kit.targetIds("web"), TESTER),
    );
    await kit.drain();
    const looks = other.observes;
    place.unreadable = true;
    await checkDue(kit.other(), never);
    expect(other.observes).toBe(looks + 1);
  });

  it("of workers that race, one looks", async () => {
    const looks = place.observes;
    await Promise.all(Array.from({ length: 8 }, check));
    expect(place.observes).toBe(looks + 1);
  });

  it("where something is owed, the loop looks anyway", async () => {
    await kit.context.store.transaction((tx) => tx.targets.bumpGenerations([id], TESTER));
    expect(await due()).toEqual([]);
  });

  it("what cannot be read is on record with its reason, until it can", async () => {
    place.unreadable = true;
    await check();
    expect((await found()).map(([state]) => state)).toEqual(["unreadable", "unreadable"]);
    place.unreadable = false;
    await itIsTime();
    await check();
    expect((await found()).map(([state]) => state)).toEqual(["version", "version"]);
  });

  it("a quota that is used up says nothing about the place, which is looked at later", async () => {
    const limited = new LockstepError("TARGET_RATE_LIMITED", "used up", { retryAfterMs: 900_000 });
    const kind = {
      ...scriptedKind,
      open: () => {
        throw limited;
      },
    };
    await checkScheduled(kit.other({ targetKinds: new Map([[kind.kind, kind]]) }), id, never);
    expect(await kit.context.store.read.checks.failures()).toEqual([]);
    const [{ waits } = { waits: 0 }] = await kit.rows<{ waits: number }>(
      `select extract(epoch from next_check_at - now())::float8 as waits from target where id = '${id}'`,
    );
    expect(waits).toBeGreaterThan(890);
  });

  it("a place that is away is tried again soon, and then less often", async () => {
    const away = new LockstepError("TARGET_UNREACHABLE", "away");
    const kind = {
      ...scriptedKind,
      checkEveryMs: 45_000,
      open: () => {
        throw away;
      },
    };
    const waits = async () => {
      await itIsTime();
      await checkScheduled(kit.other({ targetKinds: new Map([[kind.kind, kind]]) }), id, never);
      const [row] = await kit.rows<{ waits: number }>(
        `select extract(epoch from next_check_at - now())::float8 as waits from target where id = '${id}'`,
      );
      return Math.round(row?.waits ?? 0);
    };
    expect(await waits()).toBe(45);
    expect(await kit.context.store.read.checks.failures()).toMatchObject([{ code: "TARGET_UNREACHABLE" }]);
    expect(await waits()).toBe(300);
    await itIsTime();
    await check();
    expect(await kit.context.store.read.checks.failures()).toEqual([]);
  });

  it("once a day a place is tested for what looking does not try, and what fails is told until a test passes", async () => {
    const failures = async () => (await kit.context.store.read.views.targets({}))[0]?.testFailures;
    let isRefused = true;
    const kind: typeof scriptedKind = {
      ...scriptedKind,
      open: (...words) => ({
        ...scriptedKind.open(...words),
        probe: async () => ({
          ok: !isRefused,
          checks: [{ name: "restart", ok: !isRefused, message: "sudo does not let it" }],
        }),
      }),
    };
    const context = kit.other({ targetKinds: new Map([[kind.kind, kind]]) });
    const aDayLater = () =>
      sql`update target set created_at = created_at - interval '25 hours',
      tested_at = tested_at - interval '25 hours', next_check_at = now()`.execute(database().db);
    await itIsTime();
    await checkScheduled(context, id, never);
    expect(await failures()).toEqual([]);
    await aDayLater();
    await checkScheduled(context, id, never);
    expect(await failures()).toEqual([{ name: "restart", message: "sudo does not let it" }]);
    isRefused = false;
    await itIsTime();
    await checkScheduled(context, id, never);
    expect(await failures()).toHaveLength(1);
    await testTarget(context, { environment: "production", name: "api" }, never);
    expect(await failures()).toEqual([]);
  });

  it("of places that tell by themselves, no failed test is kept: they say it again and again", async () => {
    const kind: TargetKind = { ...scriptedKind, delivery: "agent" };
    const context = kit.other({ targetKinds: new Map([[kind.kind, kind]]) });
    // No agent has ever spoken for it.
    const { ok } = await testTarget(context, { environment: "production", name: "api" }, never);
    expect(ok).toBe(false);
    expect((await kit.context.store.read.views.targets({}))[0]?.testFailures).toEqual([]);
  });

  it("to whom the platform gives what stands there is kept until it is seen anew, and a changed place is tested at once", async () => {
    const exposures = async () => (await kit.context.store.read.views.targets({}))[0]?.exposures;
    const answers: ProbeResult[] = [
      { ok: true, checks: [], exposures: [{ to: "builds", except: ["OTHER"] }] },
      { ok: true, checks: [] },
      { ok: true, checks: [], exposures: [] },
    ];
    const kind: typeof scriptedKind = {
      ...scriptedKind,
      open: (...words) => ({
        ...scriptedKind.open(...words),
        probe: async () => answers.shift() ?? { ok: false, checks: [] },
      }),
    };
    const context = kit.other({ targetKinds: new Map([[kind.kind, kind]]) });
    const name = { environment: "production", name: "api" };
    await testTarget(context, name, never);
    expect(await exposures()).toEqual([{ to: "builds", except: ["OTHER"] }]);
    await testTarget(context, name, never);
    expect(await exposures()).toHaveLength(1);

    const target = await kit.context.store.read.targets.findById(id);
    await sql`update target set created_at = now() - interval '1 hour', tested_at = now()`.execute(
      database().db,
    );
    await itIsTime();
    await checkScheduled(context, id, never);
    expect(answers).toHaveLength(1);
    await kit.context.store.transaction(async (tx) => {
      if (target !== null) await tx.config.updateTarget(id, target);
    });
    await itIsTime();
    await checkScheduled(context, id, never);
    expect(await exposures()).toEqual([]);
    await itIsTime();
    await checkScheduled(context, id, never);
    expect(answers).toEqual([]);
  });

  it("what was written while it looked outdates what it saw", async () => {
    let isFirst = true;
    const kind: typeof scriptedKind = {
      ...scriptedKind,
      open(...words) {
        const target = scriptedKind.open(...words);
        return {
          ...target,
          async observe(addresses, signal) {
            const seen = await target.observe(addresses, signal);
            if (isFirst) {
              isFirst = false;
              await kit.set("AUTH", "newer");
              await kit.drain();
            }
            return seen;
          },
        };
      },
    };
    await itIsTime();
    await checkScheduled(kit.other({ targetKinds: new Map([[kind.kind, kind]]) }), id, never);
    const rows = await kit.context.store.read.views.bindings({});
    const auth = rows.find(({ key }) => key === "AUTH");
    expect(auth === undefined ? null : bindingStatus(auth)).toMatchObject({ state: "in-sync", version: 2 });
  });

  it("many places that share a quota are looked at less often", () => {
    expect(checkEveryMs({}, 1_000)).toBe(300_000);
    expect(checkEveryMs({ checkEveryMs: 45_000 }, 1_000)).toBe(45_000);
    expect(checkEveryMs({ requestsPerCheck: 3 }, 5)).toBe(300_000);
    expect(checkEveryMs({ requestsPerCheck: 3 }, 80)).toBe(3_456_000);
  });

  it("drift is healed where that is said, and a second writer is not fought", async () => {
    await healing("AUTH");
    for (const expected of [1, 2]) {
      place.values.set("AUTH", "by another program");
      await itIsTime();
      await check();
      await kit.drain();
      expect(place.values.get("AUTH")).toBe("good");
      expect(await heals()).toHaveLength(expected);
    }
    place.values.set("AUTH", "by another program");
    await itIsTime();
    await check();
    await kit.drain();
    expect(place.values.get("AUTH")).toBe("by another program");
    expect(await heals()).toEqual(["healing", "healing"]);
  });

  it("where not all that differs is to be healed, a person decides", async () => {
    await healing("AUTH");
    place.values.set("AUTH", "by hand");
    place.values.set("OTHER", "by hand too");
    await check();
    await kit.drain();
    expect(place.values.get("AUTH")).toBe("by hand");
    expect(await heals()).toEqual([]);
  });
});
