/** Renewal on a real store: one at a time, nothing lost, nothing used twice, told in order. */
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppContext } from "../../../src/app/base/context.ts";
import { dueRenewals } from "../../../src/app/renewals/renew-due.ts";
import { renewNow } from "../../../src/app/renewals/renew-now.ts";
import { type RenewMode, renewSecret } from "../../../src/app/renewals/renew-secret.ts";
import { viewRenewals } from "../../../src/app/renewals/view-renewals.ts";
import { rollbackRollout } from "../../../src/app/rollouts/rollback-rollout.ts";
import { viewRollout } from "../../../src/app/rollouts/view-rollouts.ts";
import { transactionWithValues } from "../../../src/app/values/prepared-values.ts";
import { openFields } from "../../../src/app/values/secret-fields.ts";
import { introduceLocked } from "../../../src/app/versions/introduce-version.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { groupBy } from "../../../src/lib/group-by.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import { describeOnAStore, somebodyWaitsForLock } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { ScriptedProvider, scriptedIssuer, unavailable } from "../../support/scripted-issuer.ts";
import { scriptedPlace } from "../../support/scripted-target.ts";
import { recordTelemetry } from "../../support/telemetry.ts";

const HOUR_MS = 3_600_000;
const NAME = "TOKEN";
const REFRESH = "REFRESH";
const never = new AbortController().signal;

describeOnAStore("renewals", (database) => {
  let kit: LoopKit;
  let provider: ScriptedProvider;
  let nowMs: number;
  let secretId: string;

  const process = (overrides: Partial<AppContext> = {}): AppContext =>
    kit.other({
      issuers: new Map([["http", scriptedIssuer(provider)]]),
      clock: { now: () => new Date(nowMs) },
      ...overrides,
    });
  const renew = (mode: RenewMode = "due", by: AppContext = process()) =>
    renewSecret(by, TESTER, secretId, mode, never);
  const issuedBy = async (name: string, config: JsonObject = {}, policy: JsonObject = {}) => {
    const id = await kit.secret(name);
    await kit.context.store.transaction((tx) =>
      tx.secrets.setPolicy(id, { issue: { http: config }, ...policy }),
    );
    return id;
  };
  const currentOf = async (name: string) => {
    const secret = await kit.context.store.read.secrets.find("production", name);
    const versions = await kit.context.store.read.secrets.versions(secret?.id ?? "");
    const current = versions.find(({ state }) => state === "current");
    if (secret === null || current === undefined) return null;
    return (await openFields(kit.context, kit.context.store.read, secret.id, current.version))
      .get("value")
      ?.reveal();
  };
  const actions = async () =>
    (
      await kit.rows<{ action: string; details: JsonObject }>(
        `select action, details from audit_entry where subject_id = '${secretId}' order by at`,
      )
    ).filter(({ action }) => action.startsWith("alert.") || action.startsWith("renewal."));
  const levels = async () =>
    (await actions()).flatMap(({ action, details }) =>
      action === "alert.opened" || action === "alert.escalated" ? [String(details["level"])] : [],
    );
  const view = async () => (await viewRenewals(process())).find(({ secret }) => secret === NAME);
  /** A process that held it has died, and nobody waits for its lease any more. */
  const leaseEnds = () =>
    sql`update renewal set lease_until = now() - interval '1 second'`.execute(database().db);

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    await sql`truncate alert cascade`.execute(database().db);
    provider = new ScriptedProvider();
    nowMs = Date.now();
    secretId = await issuedBy(NAME);
  });

  it("the first token is made as soon as the secret is there, the next one when it is due", async () => {
    expect(await dueRenewals(process(), 10)).toEqual([{ name: "renew", id: secretId }]);
    expect(await renew()).toMatchObject({ state: "renewed", introduced: { version: 1 } });
    expect(await dueRenewals(process(), 10)).toEqual([]);
    expect(await renew()).toMatchObject({ state: "waits" });
    expect(await view()).toMatchObject({ state: "good", version: 1, issuer: "http" });
    nowMs += (2 / 3) * HOUR_MS;
    expect(await dueRenewals(process(), 10)).toHaveLength(1);
    expect(await renew()).toMatchObject({ state: "renewed", introduced: { version: 2 } });
    expect(await currentOf(NAME)).toBe("canary-token-2");
    const [, second] = await kit.rows<{ expires_at: Date }>(
      "select expires_at from secret_version order by version",
    );
    expect(second?.expires_at.getTime()).toBe(nowMs + HOUR_MS);
    expect(JSON.stringify(await actions())).not.toContain("canary");
  });

  it("each request to an issuer is timed, whether it answers or not", async () => {
    const { telemetry, said } = recordTelemetry();
    await renew("now", process({ telemetry }));
    provider.failure = unavailable();
    await renew("now", process({ telemetry }));
    expect(said.filter((line) => line.includes("issuer"))).toEqual([
      "during issuer-request http done",
      "during issuer-request http failed",
    ]);
  });

  it("of a hundred that race, one asks", async () => {
    let othersWait = (): void => undefined;
    // Answered only once everybody else has found it taken.
    provider.during = () => new Promise((resolve) => (othersWait = resolve));
    let waiting = 0;
    const all = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const renewal = await renew("due", process());
        if (renewal.state === "waits") waiting += 1;
        if (waiting === 99) othersWait();
        return renewal;
      }),
    );
    expect(all.filter(({ state }) => state === "renewed")).toHaveLength(1);
    expect(waiting).toBe(99);
    expect(provider.tokens).toHaveLength(1);
  });

  describe("a refresh token that is good once", () => {
    beforeEach(async () => {
      secretId = await issuedBy("USES", { refresh: REFRESH });
      await kit.secret(REFRESH);
      await kit.set(REFRESH, "canary-refresh-1");
    });

    it("is replaced by what the provider gives, in the same transaction", async () => {
      for (let round = 0; round < 5; round += 1)
        expect(await renew("now")).toMatchObject({ state: "renewed" });
      expect(new Set(provider.used).size).toBe(5);
      expect(await currentOf(REFRESH)).toBe("canary-refresh-6");
    });

    it.each(["renewal-intent"] as const)(
      "a process that dies at %s: it is not used again, and a person is told",
      async (point) => {
        await renew("now");
        const dying = process({
          checkpoint: async (at) => {
            if (at === point) await new Promise(() => undefined);
          },
        });
        void renew("now", dying);
        await expect
          .poll(async () => (await kit.rows("select 1 from renewal where attempt is not null")).length)
          .toBe(1);
        expect(await renew("now")).toMatchObject({ state: "waits" });
        await leaseEnds();
        const before = provider.used.length;
        expect(await renew()).toMatchObject({ state: "failed", error: { code: "ISSUER_OUTCOME_UNKNOWN" } });
        expect(await renew()).toMatchObject({ state: "waits" });
        await expect(
          renewNow(process(), TESTER, { environment: "production", name: "USES" }, {}, never),
        ).rejects.toMatchObject({
          code: "ISSUER_OUTCOME_UNKNOWN",
        });
        expect(provider.used).toHaveLength(before);
        expect(await levels()).toEqual(["urgent"]);
        // A person signs in anew.
        await kit.set(REFRESH, "canary-refresh-new");
        expect(await renew("now")).toMatchObject({ state: "renewed" });
        expect(provider.used.at(-1)).toBe("canary-refresh-new");
        expect((await actions()).at(-1)?.action).toBe("alert.resolved");
      },
    );

    it("is risked by a person's word alone", async () => {
      await renew("now");
      void renew(
        "now",
        process({
          checkpoint: (at) => (at === "renewal-intent" ? new Promise(() => undefined) : Promise.resolve()),
        }),
      );
      await expect
        .poll(async () => (await kit.rows("select 1 from renewal where attempt is not null")).length)
        .toBe(1);
      await leaseEnds();
      expect(await renew()).toMatchObject({ state: "failed" });
      expect(await renew("again")).toMatchObject({ state: "renewed" });
      expect(provider.used).toEqual(["canary-refresh-1", "canary-refresh-2"]);
    });

    it("an answer that comes after its lease still counts: it is all that there is", async () => {
      await renew("now");
      let answer = (): void => undefined;
      provider.during = () => new Promise((resolve) => (answer = resolve));
      const slow = renew("now");
      await expect
        .poll(async () => (await kit.rows("select 1 from renewal where attempt is not null")).length)
        .toBe(1);
      await leaseEnds();
      expect(await renew()).toMatchObject({ state: "failed" });
      answer();
      expect(await slow).toMatchObject({ state: "renewed" });
      expect(await currentOf(REFRESH)).toBe("canary-refresh-3");
      expect((await viewRenewals(process())).find(({ secret }) => secret === "USES")?.state).toBe("good");
    });

    it("that came with a token of no use is kept all the same", async () => {
      provider.lifeMs = 0;
      expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_ANSWER" } });
      expect(await currentOf(REFRESH)).toBe("canary-refresh-2");
      provider.lifeMs = HOUR_MS;
      expect(await renew("now")).toMatchObject({ state: "renewed" });
      expect(provider.used).toEqual(["canary-refresh-1", "canary-refresh-2"]);
    });

    it("is kept before its token: a process that dies between the two goes on with the new one, by itself", async () => {
      await renew("now");
      provider.afterKept = () => new Promise(() => undefined);
      void renew("now");
      await expect.poll(() => currentOf(REFRESH)).toBe("canary-refresh-3");
      provider.afterKept = async () => {};
      await leaseEnds();
      expect(await renew("now")).toMatchObject({ state: "renewed" });
      expect(provider.used).toEqual(["canary-refresh-1", "canary-refresh-2", "canary-refresh-3"]);
      expect(await levels()).toEqual([]);
    });

    it("is kept though what follows in its answer is refused, and is used the next time", async () => {
      await renew("now");
      provider.afterKept = async () => {
        throw new LockstepError("ISSUER_ANSWER", "Cannot get a token: its answer holds none.");
      };
      for (let tries = 0; tries < 8; tries += 1)
        expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_ANSWER" } });
      expect(new Set(provider.used).size).toBe(9);
      provider.afterKept = async () => {};
      expect(await renew("now")).toMatchObject({ state: "renewed" });
      expect(await currentOf("USES")).toBe("canary-token-10");
    });

    it("is kept beside one that a person has set meanwhile, which counts", async () => {
      let answer = (): void => undefined;
      provider.during = () => new Promise((resolve) => (answer = resolve));
      const slow = renew("now");
      await expect
        .poll(async () => (await kit.rows("select 1 from renewal where attempt is not null")).length)
        .toBe(1);
      await kit.set(REFRESH, "canary-refresh-person");
      answer();
      expect(await slow).toMatchObject({ state: "renewed" });
      expect(await currentOf(REFRESH)).toBe("canary-refresh-person");
      const secret = await kit.context.store.read.secrets.find("production", REFRESH);
      const versions = await kit.context.store.read.secrets.versions(secret?.id ?? "");
      const values = await mapLimited([...versions], 1, async ({ version, state }) => [
        state,
        (await openFields(kit.context, kit.context.store.read, secret?.id ?? "", version))
          .get("value")
          ?.reveal(),
      ]);
      expect(values).toContainEqual(["retired", "canary-refresh-2"]);
    });

    it("that could not be kept is told as lost, and the used one is not presented again", async () => {
      const sealing = process();
      const failing = process({
        fingerprinter: {
          ...sealing.fingerprinter,
          fingerprint: (id, value) => {
            if (value.reveal().includes("canary-refresh"))
              throw new LockstepError("FORBIDDEN", "another key");
            return sealing.fingerprinter.fingerprint(id, value);
          },
        },
      });
      const failed = await renew("now", failing);
      expect(failed).toMatchObject({ state: "failed", error: { code: "ISSUER_OUTCOME_UNKNOWN" } });
      if (failed.state === "failed") expect(failed.error.message).toContain("could not be kept");
      expect(await renew()).toMatchObject({ state: "waits", untilMs: null });
      expect(provider.used).toHaveLength(1);
    });

    it("is not presented by a process that could not write down the next one", async () => {
      await sql`insert into store_meta (store_id, key_check, fingerprint_key_sealed, sealing_key_id)
        select gen_random_uuid(), 'x.x.another', 'x.x.another', 'another' where not exists (select 1 from store_meta)`.execute(
        database().db,
      );
      try {
        await expect(renew("now")).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED" });
        expect(provider.used).toEqual([]);
      } finally {
        await sql`delete from store_meta where sealing_key_id = 'another'`.execute(database().db);
      }
    });

    describe("a refusal in any words", () => {
      const refusal = (code: "ISSUER_ANSWER" | "ISSUER_REFUSED", words: string) =>
        new LockstepError(code, `Cannot get a token from https://issuer.example.com: ${words}.`);
      /** Tries whenever it is due for a day; answers how often it was presented. */
      const presentedWithinADay = async () => {
        let presented = 0;
        for (const endMs = nowMs + 24 * HOUR_MS; nowMs < endMs; nowMs += 300_000) {
          if ((await dueRenewals(process(), 10)).every(({ id }) => id !== secretId)) continue;
          if ((await renew()).state === "failed") presented += 1;
        }
        return presented;
      };

      it.each([
        ["ISSUER_REFUSED", "it answered 400 (invalid_request)"],
        ["ISSUER_ANSWER", "its answer is none of a token endpoint"],
      ] as const)(
        "%s: is asked with a few times more, spread over what is left, and then a person is told what to do",
        async (code, words) => {
          provider.rotates = false;
          await renew("now");
          const madeMs = nowMs;
          nowMs += 0.7 * HOUR_MS;
          provider.failure = refusal(code, words);
          expect(await renew("now")).toMatchObject({ state: "failed", error: { code } });
          const second = (await viewRenewals(process())).find(({ secret }) => secret === "USES");
          expect(Date.parse(second?.nextTryAt ?? "") - nowMs).toBeGreaterThan(60_000);
          expect(await presentedWithinADay()).toBe(4);
          expect(nowMs).toBeGreaterThan(madeMs + HOUR_MS);
          const [alert] = await kit.rows<{ message: string; remedy: string }>(
            "select message, remedy from alert",
          );
          expect(alert?.message).toContain(words);
          expect(alert?.message).toContain("REFRESH is not presented any more");
          expect(alert?.remedy).toContain("`lockstep secret set REFRESH --environment production`");
          await expect(
            renewNow(process(), TESTER, { environment: "production", name: "USES" }, {}, never),
          ).rejects.toMatchObject({ hint: expect.stringContaining("lockstep secret set REFRESH") });
          // What a person sets is tried at once, and counts anew.
          provider.failure = null;
          await kit.set(REFRESH, "canary-refresh-new");
          expect(await renew()).toMatchObject({ state: "renewed" });
          expect(provider.used.at(-1)).toBe("canary-refresh-new");
        },
        60_000,
      );

      it("is forgotten with the first success, and with what was at fault", async () => {
        await kit.secret("CLIENT_SECRET");
        await kit.context.store.transaction((tx) =>
          tx.secrets.setPolicy(secretId, { issue: { http: { refresh: REFRESH, client: "CLIENT_SECRET" } } }),
        );
        provider.rotates = false;
        for (let round = 0; round < 3; round += 1) {
          provider.failure = refusal("ISSUER_REFUSED", "it answered 401");
          for (let tries = 0; tries < 4; tries += 1) await renew("now");
          provider.failure = null;
          expect(await renew("now")).toMatchObject({ state: "renewed" });
        }
        provider.failure = refusal("ISSUER_REFUSED", "it answered 401 (invalid_client)");
        for (let tries = 0; tries < 5; tries += 1) await renew("now");
        expect(await renew()).toMatchObject({ state: "waits", untilMs: null });
        provider.failure = null;
        nowMs += HOUR_MS;
        await kit.set("CLIENT_SECRET", "canary-client");
        expect(await renew()).toMatchObject({ state: "renewed" });
      });

      it("of one that was never replaced is final as well: it is not asked with again and again", async () => {
        provider.rotates = false;
        await renew("now");
        nowMs += HOUR_MS;
        provider.failure = new LockstepError(
          "ISSUER_GRANT_GONE",
          "Cannot get a token: REFRESH is not valid.",
        );
        expect(await renew()).toMatchObject({ state: "failed", error: { code: "ISSUER_GRANT_GONE" } });
        expect(await presentedWithinADay()).toBe(0);
        expect((await viewRenewals(process())).find(({ secret }) => secret === "USES")?.state).toBe(
          "expired",
        );
      }, 60_000);
    });

    it("that was never seen to be replaced is simply asked with again after a lost answer", async () => {
      provider.failure = new LockstepError("ISSUER_OUTCOME_UNKNOWN", "Cannot get a token: it answered 502.");
      expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_UNAVAILABLE" } });
      provider.failure = null;
      nowMs += 60_000;
      expect(await renew()).toMatchObject({ state: "renewed" });
      // Now it was seen.
      provider.failure = new LockstepError("ISSUER_OUTCOME_UNKNOWN", "Cannot get a token: it answered 502.");
      expect(await renew("now")).toMatchObject({
        state: "failed",
        error: { code: "ISSUER_OUTCOME_UNKNOWN" },
      });
      provider.failure = null;
      expect(await renew()).toMatchObject({ state: "waits", untilMs: null });
      // Another provider has shown nothing yet.
      await kit.context.store.transaction((tx) =>
        tx.secrets.setPolicy(secretId, { issue: { http: { refresh: REFRESH, other: true } } }),
      );
      provider.failure = new LockstepError("ISSUER_OUTCOME_UNKNOWN", "Cannot get a token: it answered 502.");
      expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_UNAVAILABLE" } });
    });

    it("a request that never left uses nothing up; one whose answer was lost may have", async () => {
      provider.failure = unavailable();
      expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_UNAVAILABLE" } });
      provider.failure = null;
      expect(await renew("now")).toMatchObject({ state: "renewed" });
      provider.failure = new LockstepError("ISSUER_OUTCOME_UNKNOWN", "no answer within 15 s");
      expect(await renew("now")).toMatchObject({
        state: "failed",
        error: { code: "ISSUER_OUTCOME_UNKNOWN" },
      });
      provider.failure = null;
      nowMs += 100 * HOUR_MS;
      expect(await renew()).toMatchObject({ state: "waits", untilMs: null });
    });

    it("that the provider never replaces is used as often as it is needed", async () => {
      provider.rotates = false;
      await renew("now");
      void renew(
        "now",
        process({
          checkpoint: (at) => (at === "renewal-answered" ? new Promise(() => undefined) : Promise.resolve()),
        }),
      );
      await expect.poll(() => provider.used.length).toBe(2);
      await leaseEnds();
      expect(await renew("now")).toMatchObject({ state: "renewed" });
      expect(new Set(provider.used)).toEqual(new Set(["canary-refresh-1"]));
      // Providers may begin to replace it at any time.
      provider.rotates = true;
      await renew("now");
      const [{ reusable } = { reusable: true }] = await kit.rows<{ reusable: boolean }>(
        `select reusable from renewal where secret_id = '${secretId}'`,
      );
      expect(reusable).toBe(false);
    });

    it("two secrets that live on it take turns", async () => {
      const other = await issuedBy("ALSO", { refresh: REFRESH });
      const all = await Promise.all([renew("now"), renewSecret(process(), TESTER, other, "now", never)]);
      for (const id of [secretId, other]) await renewSecret(process(), TESTER, id, "now", never);
      expect(all.some(({ state }) => state === "renewed")).toBe(true);
      expect(new Set(provider.used).size).toBe(provider.used.length);
    });

    it("it is read behind its lock: what another has replaced meanwhile is not used", async () => {
      const { store } = kit.context;
      const refresh = (await store.read.secrets.find("production", REFRESH)) ?? expect.fail();
      const fields = { value: SecretValue.of("canary-refresh-next") };
      let waiting: Promise<unknown> = Promise.resolve();
      await transactionWithValues(kit.context, async (tx, next) => {
        const version = await tx.secrets.lockForNewVersion(refresh.id);
        tx.values.need([{ secretId: refresh.id, version, fields: new Map(Object.entries(fields)) }]);
        waiting = renew("now");
        await somebodyWaitsForLock(database());
        await introduceLocked(kit.context, tx, next, TESTER, refresh, { fields });
      });
      expect(await waiting).toMatchObject({ state: "renewed" });
      expect(provider.used).toEqual(["canary-refresh-next"]);
    });
  });

  it("without anything to use up, a process that died is followed by another try", async () => {
    void renew(
      "due",
      process({
        checkpoint: (at) => (at === "renewal-answered" ? new Promise(() => undefined) : Promise.resolve()),
      }),
    );
    await expect.poll(() => provider.tokens.length).toBe(1);
    await leaseEnds();
    expect(await renew()).toMatchObject({ state: "renewed", introduced: { version: 1 } });
    expect(await currentOf(NAME)).toBe("canary-token-2");
  });

  it("a provider that is away: tried again and again, escalated once a level, renewed as soon as it is back", async () => {
    await renew();
    const madeMs = nowMs;
    provider.failure = unavailable();
    const tries: number[] = [];
    // For 90 % of what is left of its life.
    const backMs = madeMs + HOUR_MS * (2 / 3 + 0.9 / 3);
    while (nowMs < backMs) {
      nowMs += 1_000;
      if ((await dueRenewals(process(), 1)).length === 0) continue;
      tries.push(nowMs);
      expect(await renew()).toMatchObject({ state: "failed" });
    }
    expect(tries.length).toBeGreaterThan(5);
    expect(await levels()).toEqual(["failing", "urgent", "critical"]);
    expect(await view()).toMatchObject({
      state: "failing",
      level: "critical",
      error: { code: "ISSUER_UNAVAILABLE" },
    });
    provider.failure = null;
    while ((await dueRenewals(process(), 1)).length === 0) nowMs += 1_000;
    expect(await renew()).toMatchObject({ state: "renewed" });
    // Somewhat sooner than the token would have ended, and as soon as its pause was over.
    expect(nowMs).toBeLessThan(madeMs + HOUR_MS);
    expect(nowMs - backMs).toBeLessThanOrEqual(5 * 60_000);
    expect((await actions()).at(-1)?.action).toBe("alert.resolved");
    expect(await view()).toMatchObject({ state: "good", failures: 0, level: null, error: null });
  }, 60_000);

  it("says that it has expired even when nobody tries", async () => {
    await renew();
    await sql`update renewal set lost_at = now(), single_use_secret = secret_id, single_use_version = 1`.execute(
      database().db,
    );
    nowMs += 2 * HOUR_MS;
    await dueRenewals(process(), 1);
    expect(await levels()).toEqual(["expired"]);
    expect(await view()).toMatchObject({ state: "expired" });
  });

  it("a limit of the provider holds all of its tokens, and is no failure", async () => {
    const other = await issuedBy("ALSO");
    provider.failure = new LockstepError("ISSUER_LIMITED", "Cannot get a token: it answered 429.", {
      retryAfterMs: 120_000,
    });
    expect(await renew()).toMatchObject({ state: "failed", error: { code: "ISSUER_LIMITED" } });
    provider.failure = null;
    expect(await renewSecret(process(), TESTER, other, "due", never)).toMatchObject({ state: "waits" });
    expect(await renew()).toMatchObject({ state: "waits" });
    nowMs += 121_000;
    expect(await renewSecret(process(), TESTER, other, "due", never)).toMatchObject({ state: "renewed" });
    expect(await levels()).toEqual([]);
  });

  it("what failed for want of another secret is tried as soon as that has a value", async () => {
    secretId = await issuedBy("USES", { refresh: REFRESH });
    for (let tries = 0; tries < 5; tries += 1) {
      expect(await renew("now")).toMatchObject({ state: "failed", error: { code: "ISSUER_REFUSED" } });
    }
    expect(await renew()).toMatchObject({ state: "waits" });
    await kit.secret(REFRESH);
    await kit.set(REFRESH, "canary-refresh-1");
    expect(await renew()).toMatchObject({ state: "renewed" });
  });

  it("asks an issuer no more often than it allows", async () => {
    const ids = [secretId];
    for (let index = 0; index < 9; index += 1) ids.push(await issuedBy(`T${index}`));
    for (const id of ids)
      await kit.context.store.transaction((tx) =>
        tx.secrets.setPolicy(id, { issue: { http: { perMinute: 4 } } }),
      );
    const all = await Promise.all(ids.map((id) => renewSecret(process(), TESTER, id, "due", never)));
    expect(all.filter(({ state }) => state === "renewed")).toHaveLength(4);
    expect(provider.tokens).toHaveLength(4);
  });

  it("refuses a life that is too short for its slowest place, with what would do", async () => {
    scriptedPlace(await kit.target("app"));
    await kit.bind(NAME, "app", { role: "caller", said: { evidence: "attested" } });
    await renew();
    await kit.drain(process());
    await sql`update activation set requested_at = ended_at - interval '5 minutes'`.execute(database().db);
    provider.lifeMs = 30 * 60_000;
    const failed = await renew("now");
    expect(failed).toMatchObject({ state: "failed", error: { code: "RENEWAL_LIFE_SHORT" } });
    if (failed.state === "failed") expect(failed.error.hint).toContain("50m");
    expect(await currentOf(NAME)).toBe("canary-token-1");
  });

  it("brings the next token to each caller by itself, while the issuer takes both", async () => {
    const app = scriptedPlace(await kit.target("app"));
    const down = scriptedPlace(await kit.target("down"));
    for (const target of ["app", "down"])
      await kit.bind(NAME, target, { role: "caller", said: { evidence: "attested" } });
    await renew();
    await kit.drain(process());
    expect(app.running.get(NAME)).toBe("canary-token-1");
    down.nextWrites.push(
      ...Array.from(
        { length: 50 },
        () => ({ kind: "refused", error: new LockstepError("TARGET_UNREACHABLE", "away") }) as const,
      ),
    );
    nowMs += 0.7 * HOUR_MS;
    const second = await renew();
    await kit.drain(process());
    if (second.state !== "renewed" || second.introduced.rolloutId === null) throw new Error("not renewed");
    const rollout = await viewRollout(process(), second.introduced.rolloutId);
    expect(rollout).toMatchObject({ strategy: "issued", phase: "switch", state: "running" });
    expect(app.running.get(NAME)).toBe("canary-token-2");
    expect(down.running.get(NAME)).toBe("canary-token-1");
    expect(await currentOf(NAME)).toBe("canary-token-2");
    // Who is away holds up nobody: the third comes as well.
    nowMs += 0.7 * HOUR_MS;
    expect(await renew()).toMatchObject({ state: "renewed", introduced: { version: 3 } });
    await kit.drain(process());
    expect(app.running.get(NAME)).toBe("canary-token-3");
    down.nextWrites.length = 0;
    await kit.hurry();
    await kit.drain(process());
    expect(down.running.get(NAME)).toBe("canary-token-3");
    const states = await kit.rows<{ version: number; state: string }>(
      `select version, state from secret_version where secret_id = '${secretId}' order by version`,
    );
    expect(states.map(({ state }) => state)).toEqual(["retiring", "retiring", "current"]);
    // The older ones stay good until they end, and are taken away then.
    nowMs += HOUR_MS;
    await sql`update rollout set phase_started_at = phase_started_at - interval '1 day', next_action_at = now()`.execute(
      database().db,
    );
    await kit.drain(process());
    const last = await kit.rows<{ state: string }>(
      `select state from secret_version where secret_id = '${secretId}' order by version`,
    );
    expect(last.map(({ state }) => state)).toEqual(["retired", "retired", "current"]);
  });

  it("goes back to a token that is still good, and to none that has expired", async () => {
    const app = scriptedPlace(await kit.target("app"));
    await kit.bind(NAME, "app", { role: "caller", said: { evidence: "attested" } });
    await renew();
    await kit.drain(process());
    const second = await renew("now");
    await kit.drain(process());
    const rollout = second.state === "renewed" ? (second.introduced.rolloutId ?? "") : "";
    const back = await rollbackRollout(process(), TESTER, rollout);
    await kit.drain(process());
    expect(app.running.get(NAME)).toBe("canary-token-1");
    expect((await viewRollout(process(), back)).strategy).toBe("issued");
    const third = await renew("now");
    if (third.state === "failed") throw third.error;
    await kit.drain(process());
    nowMs += 2 * HOUR_MS;
    await expect(
      rollbackRollout(process(), TESTER, third.state === "renewed" ? (third.introduced.rolloutId ?? "") : ""),
    ).rejects.toMatchObject({ code: "VERSION_STATE", message: expect.stringContaining("expired at") });
  });

  it("many that end together are spread, and end in time", async () => {
    for (let index = 0; index < 199; index += 1) await issuedBy(`N${index}`);
    const jobs = await dueRenewals(process(), 2_000);
    expect(jobs).toHaveLength(200);
    await mapLimited(jobs, 4, ({ id }) => renewSecret(process(), TESTER, id, "now", never));
    const madeMs = nowMs;
    const dueMs = new Map<string, number>();
    for (; dueMs.size < 200 && nowMs < madeMs + HOUR_MS; nowMs += 30_000)
      for (const { id } of await dueRenewals(process(), 2_000)) if (!dueMs.has(id)) dueMs.set(id, nowMs);
    expect(dueMs.size).toBe(200);
    const perMinute = groupBy([...dueMs.values()], (ms) => String(Math.floor((ms - madeMs) / 60_000)));
    // Within four minutes before two thirds of their life, evenly.
    expect([...perMinute.keys()].every((minute) => Number(minute) >= 35 && Number(minute) <= 40)).toBe(true);
    expect(Math.max(...[...perMinute.values()].map((list) => list.length))).toBeLessThan(100);
  }, 60_000);

  it("tokens, refresh tokens and answers stand nowhere in the open", async () => {
    secretId = await issuedBy("USES", { refresh: REFRESH });
    await kit.secret(REFRESH);
    await kit.set(REFRESH, "canary-refresh-1");
    await renew();
    provider.next = () => ({ value: SecretValue.of("") });
    await renew("now");
    const tables = ["renewal", "alert", "audit_entry", "secret", "secret_version", "rollout"];
    for (const table of tables) {
      const rows = await kit.rows(`select row_to_json(t)::text as text from ${table} t`);
      expect(JSON.stringify(rows)).not.toContain("canary");
    }
  });
});
