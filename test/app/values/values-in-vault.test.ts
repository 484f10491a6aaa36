/**
 * Values in Vault's KV, with the rights that are shipped. A process that dies is one that never comes back from a
 * checkpoint: what it held is gone, what it wrote down is there. Processes that are really killed: test/fault.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppContext, Checkpoint } from "../../../src/app/base/context.ts";
import { generateSecret, setSecret } from "../../../src/app/secrets/change-secret.ts";
import { destroyVersion } from "../../../src/app/secrets/destroy-version.ts";
import { listVersions, revealSecret } from "../../../src/app/secrets/read-secrets.ts";
import { valueFacts } from "../../../src/app/status/value-facts.ts";
import { moveValues } from "../../../src/app/values/move-values.ts";
import { transactionWithValues } from "../../../src/app/values/prepared-values.ts";
import { sweepValues } from "../../../src/app/values/sweep-values.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { NamedValueStore } from "../../../src/core/ports/value-store.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { ManualClock } from "../../../src/simulator/railway/clock.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { scriptedPlace } from "../../support/scripted-target.ts";
import { startVaultForValues, type VaultForValues } from "../../support/vault-values.ts";

const NAME = { environment: "production", name: "AUTH" };
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

describeOnAStore("values in Vault", (database) => {
  const clock = new ManualClock(new Date());
  let vault: VaultForValues;
  let kit: LoopKit;
  let context: AppContext;
  let storeId: string;
  let named: NamedValueStore;

  beforeAll(async () => {
    vault = await startVaultForValues({ clock });
    kit = createLoopKit(database());
  });
  afterAll(async () => {
    expect(vault.vault.offences).toEqual([]);
    await vault.stop();
  });
  beforeEach(async () => {
    vault.vault.clearFaults();
    await kit.reset();
    await kit.rows(
      "update value_walk set next_at = now(), after_secret = '', strangers = 0, counted = 0, away_since = null, away_code = null, away_reason = null",
    );
    storeId = randomUUID();
    named = vault.values(storeId);
    context = process();
  });

  /** Another process on the same store and Vault. */
  function process(overrides: Partial<AppContext> = {}, wanted: "postgres" | "vault" = "vault"): AppContext {
    const { sealed } = kit.context.values;
    return kit.other({
      storeId,
      values: { wanted: wanted === "vault" ? named : sealed, sealed, named },
      ...overrides,
    });
  }

  const set = (value: string, by = context) => setSecret(by, TESTER, NAME, { value: SecretValue.of(value) });
  const reveal = async (version?: number, by = context) =>
    (await revealSecret(by, TESTER, NAME, version)).fields.get("value")?.reveal();
  /** Null: nothing was written there. */
  const at = (place: string) => scriptedPlace(place).values.get("AUTH") ?? null;
  const standing = () => vault.standing(storeId);
  const intents = () =>
    kit.rows<{ aim: string; version: number }>("select aim, version from value_intent order by version");
  const hoursPass = async (hours: number) => {
    clock.advance(hours * HOUR_MS);
    await kit.rows(
      `update value_intent set next_attempt_at = next_attempt_at - interval '${hours} hours', created_at = created_at - interval '${hours} hours'`,
    );
    await kit.rows(`update value_walk set next_at = next_at - interval '${hours} hours'`);
    await kit.rows(`update secret_version set value_looked_at = value_looked_at - interval '${hours} hours'`);
  };
  const sweep = (by = context) => sweepValues(by, never);
  /** The process is gone when it gets there. */
  const dyingAt = (
    point: Checkpoint,
    wanted: "postgres" | "vault" = "vault",
  ): [AppContext, Promise<void>] => {
    let arrived = (): void => {};
    const there = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const checkpoint = (at: Checkpoint): Promise<void> => {
      if (at !== point) return Promise.resolve();
      arrived();
      return new Promise(() => undefined);
    };
    return [process({ checkpoint }, wanted), there];
  };
  const pathOf = async (version: number): Promise<string> => {
    const [row] = await kit.rows<{ path: string }>(
      `select 'lockstep/${storeId}/' || secret_id || '/' || value_name as path from secret_version where version = ${version}`,
    );
    return row?.path ?? expect.fail("no such version");
  };
  const versionStates = async () =>
    (await listVersions(context, NAME)).map(({ version, state }) => `${version} ${state}`);

  it("a value stands in Vault alone: no column, no audit entry and no error holds it, and the entry names the store", async () => {
    await set("canary-one");
    await set("canary-two");
    expect(await reveal()).toBe("canary-two");
    expect(await reveal(1)).toBe("canary-one");
    expect(standing()).toHaveLength(2);
    expect(await intents()).toEqual([]);
    const rows = await kit.rows("select * from secret_version");
    expect(rows).toMatchObject([{ value_sealed: null }, { value_sealed: null }]);
    const dump = JSON.stringify([rows, await kit.rows("select * from audit_entry")]);
    expect(dump).not.toContain("canary-");
    expect(
      await kit.rows(
        "select distinct details ->> 'values' as kept from audit_entry where action = 'version.created' and details ->> 'values' = 'vault'",
      ),
    ).toEqual([{ kept: "vault" }]);
  });

  it("a place gets it, and a rotation moves it, as ever", async () => {
    const place = await kit.target("api");
    await kit.secret("AUTH");
    await kit.bind("AUTH", "api");
    await set("first");
    await kit.drain(context);
    expect(at(place)).toBe("first");
    await generateSecret(context, TESTER, NAME, { strategy: "replace" });
    await kit.drain(context);
    expect(at(place)).toBe(await reveal(2));
  });

  describe("law 9: a process dies", () => {
    it("between intent and write: nothing stands anywhere, and the number is used again", async () => {
      const [dying, there] = dyingAt("value-intent");
      void set("lost", dying);
      await there;
      expect(standing()).toEqual([]);
      expect(await intents()).toEqual([{ aim: "kept", version: 1 }]);
      expect(await set("next")).toMatchObject({ version: 1 });
      await hoursPass(2);
      await sweep();
      expect(await intents()).toEqual([]);
      expect(standing()).toEqual([await pathOf(1)]);
      expect(await reveal()).toBe("next");
    });

    it("between write and row: the value is found and goes, and another's under the same number stays", async () => {
      const [dying, there] = dyingAt("value-put");
      void set("lost", dying);
      await there;
      expect(standing()).toHaveLength(1);
      expect(await set("next")).toMatchObject({ version: 1 });
      // It might still be about to add its row.
      await sweep();
      expect(standing()).toHaveLength(2);
      await hoursPass(2);
      await sweep();
      expect(standing()).toEqual([await pathOf(1)]);
      expect(await intents()).toEqual([]);
      expect(await reveal()).toBe("next");
    });

    it("a number that another took: the value goes at once, and is put for the next", async () => {
      let isOvertaken = false;
      const slow = process({
        checkpoint: async (point) => {
          if (point !== "value-put" || isOvertaken) return;
          isOvertaken = true;
          await set("faster");
        },
      });
      expect(await set("slower", slow)).toMatchObject({ version: 2 });
      expect(standing().toSorted()).toEqual([await pathOf(1), await pathOf(2)].toSorted());
      expect(await intents()).toEqual([]);
      expect([await reveal(1), await reveal(2)]).toEqual(["faster", "slower"]);
    });

    it("a commit whose answer is lost was done: its value stays", async () => {
      let isLost = false;
      const { store } = kit.context;
      const cut = process({
        checkpoint: async (point) => {
          if (point === "value-put") isLost = true;
        },
        store: {
          ...store,
          transaction: async (work) => {
            const done = await store.transaction(work);
            if (!isLost) return done;
            isLost = false;
            throw new LockstepError("STORE_UNAVAILABLE", "The connection was lost.");
          },
        },
      });
      await expect(set("committed", cut)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(await versionStates()).toEqual(["1 current"]);
      await hoursPass(2);
      await sweep();
      expect(await reveal()).toBe("committed");
    });

    it("what a row names never goes, whatever is written down about it", async () => {
      await set("kept");
      await kit.rows(
        `insert into value_intent (secret_id, value_name, version, aim, process, next_attempt_at)
         select secret_id, value_name, version, 'removed', 'somebody', now() from secret_version`,
      );
      await sweep();
      expect(await reveal()).toBe("kept");
    });

    it("whoever wakes up after its value was given up adds no row that names it", async () => {
      let arrive = (): void => {};
      let goOn = (): void => {};
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      const resumed = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const slow = process({
        checkpoint: async (point) => {
          if (point !== "value-put") return;
          arrive();
          await resumed;
        },
      });
      const setting = set("slow", slow).catch(({ code }: LockstepError) => code);
      await arrived;
      await hoursPass(2);
      await sweep();
      expect(standing()).toEqual([]);
      goOn();
      expect(await setting).toBe("STORE_TIMEOUT");
      expect(await versionStates()).toEqual([]);
    });

    it.each(["value-removal", "value-removed"] as const)(
      "at %s: destroyed is destroyed, and the value goes",
      async (point) => {
        await set("old");
        await set("new");
        const [dying, there] = dyingAt(point);
        void destroyVersion(dying, TESTER, NAME, 1);
        await there;
        expect(await versionStates()).toEqual(["2 current", "1 destroyed"]);
        expect(await intents()).toEqual([{ aim: "removed", version: 1 }]);
        await hoursPass(1);
        await sweep();
        expect(await intents()).toEqual([]);
        expect(standing()).toEqual([await pathOf(2)]);
      },
    );
  });

  describe("Vault is away", () => {
    const away = () => vault.vault.fault({ path: "secret/*" }, { kind: "sealed" });
    const goneFor = (times: number | "always") =>
      vault.vault.fault({ path: "secret/*", times }, { kind: "sealed" });

    it("between intent and write: nothing was added, nothing is left, and it is told", async () => {
      away();
      await expect(set("refused")).rejects.toMatchObject({ code: "VALUE_STORE_UNAVAILABLE" });
      expect(await versionStates()).toEqual([]);
      await hoursPass(2);
      await sweep();
      expect([await intents(), standing()]).toEqual([[], []]);
    });

    it("a write whose answer was lost is read back, and is one version", async () => {
      vault.vault.fault({ method: "POST", path: "secret/data/*" }, { kind: "cut", executed: true });
      expect(await set("cut")).toMatchObject({ version: 1 });
      vault.vault.fault({ method: "POST", path: "secret/data/*" }, { kind: "cut", executed: false });
      expect(await set("cut before")).toMatchObject({ version: 2 });
      vault.vault.fault({ method: "POST", path: "secret/data/*" }, { kind: "audit-blocked", executed: true });
      expect(await set("blocked")).toMatchObject({ version: 3 });
      expect(standing()).toHaveLength(3);
      expect(await Promise.all([1, 2, 3].map((version) => reveal(version)))).toEqual([
        "cut",
        "cut before",
        "blocked",
      ]);
    });

    it("a push waits with its reason, spends no attempt, and goes on by itself", async () => {
      const place = await kit.target("api");
      await kit.secret("AUTH");
      await kit.bind("AUTH", "api");
      await set("value");
      const fault = goneFor("always");
      await kit.drain(context);
      expect(await kit.rows("select attempts, gave_up_at, error_code from target")).toEqual([
        { attempts: 0, gave_up_at: null, error_code: "VALUE_STORE_UNAVAILABLE" },
      ]);
      expect(at(place)).toBeNull();
      fault.remove();
      await kit.hurry();
      await kit.drain(context);
      expect(at(place)).toBe("value");
    });

    it("destroying does not wait for it: the row says so first, the value goes when Vault answers", async () => {
      await set("old");
      await set("new");
      const fault = goneFor("always");
      await destroyVersion(context, TESTER, NAME, 1);
      expect(await versionStates()).toEqual(["2 current", "1 destroyed"]);
      fault.remove();
      expect(standing()).toHaveLength(2);
      expect((await valueFacts(context)).owed).toEqual({ count: 1, errorCode: "VALUE_STORE_UNAVAILABLE" });
      await hoursPass(1);
      await sweep();
      expect(standing()).toEqual([await pathOf(2)]);
      expect((await valueFacts(context)).owed.count).toBe(0);
    });

    it("what cannot be asked for twice is kept in Postgres meanwhile, and moves by command", async () => {
      const { secretId } = await set("one");
      const fault = goneFor("always");
      const fields = new Map([["value", SecretValue.of("canary-refresh")]]);
      await transactionWithValues(
        context,
        async (tx) => {
          const version = await tx.secrets.lockForNewVersion(secretId);
          const { stored, fingerprint } = tx.values.take({ secretId, version, fields });
          const rest = { state: "retired", value: stored, fingerprint, createdBy: "" } as const;
          await tx.secrets.addVersion({ secretId, version, ...rest });
        },
        { isIrreplaceable: true },
      );
      expect(await reveal(2)).toBe("canary-refresh");
      fault.remove();
      expect(await moveValues(context, TESTER)).toMatchObject({ moved: 1, left: 0 });
      expect(await reveal(2)).toBe("canary-refresh");
    });

    it("doctor knows since when, and that it is over", async () => {
      await set("value");
      const fault = goneFor("always");
      await hoursPass(2);
      await sweep();
      expect((await valueFacts(context)).away?.reason).toMatch(/Cannot look at a value in Vault: .*sealed/);
      fault.remove();
      await hoursPass(1);
      await sweep();
      expect((await valueFacts(context)).away).toBeNull();
    });
  });

  describe("somebody else changes it there", () => {
    const asRoot = (method: string, path: string, body?: unknown) =>
      expect(vault.vault.request(method, `secret/${path}`, body).status).toBeLessThan(300);
    const troubles = {
      changed: async (path: string) => asRoot("POST", `data/${path}`, { data: { value: "canary-foreign" } }),
      deleted: async (path: string) => asRoot("DELETE", `data/${path}`),
      destroyed: async (path: string) => asRoot("POST", `destroy/${path}`, { versions: [1] }),
      absent: async (path: string) => asRoot("DELETE", `metadata/${path}`),
      "written anew": async (path: string) => {
        asRoot("DELETE", `metadata/${path}`);
        asRoot("POST", `data/${path}`, { data: { value: "canary-foreign" } });
      },
    } as const;

    it.each(Object.keys(troubles) as (keyof typeof troubles)[])(
      "%s: one finding, nothing foreign is pushed, nothing is deleted or healed",
      async (trouble) => {
        const place = await kit.target("api");
        await kit.secret("AUTH");
        await kit.bind("AUTH", "api");
        await set("ours");
        await kit.drain(context);
        clock.advance(HOUR_MS);
        await troubles[trouble](await pathOf(1));
        const before = vault.vault.calls.list({ method: "POST", path: "secret/*" }).length;
        await hoursPass(2);
        await sweep();
        expect((await valueFacts(context)).troubled).toMatchObject([
          { secret: "AUTH", version: 1, trouble: trouble === "written anew" ? "changed" : trouble },
        ]);
        await kit.rows("update target set generation = generation + 1, next_action_at = now()");
        await kit.drain(context);
        expect(at(place)).toBe("ours");
        expect(vault.vault.calls.list({ method: "POST", path: "secret/*" })).toHaveLength(before);
        // Ours is still to be read where only something newer stands beside it.
        if (trouble === "changed") return;
        expect(await kit.rows("select attempts, gave_up_at, error_code from target")).toEqual([
          { attempts: 0, gave_up_at: null, error_code: "VALUE_STORE_CHANGED" },
        ]);
        const error = await reveal().catch((thrown: LockstepError) => thrown);
        expect(error).toMatchObject({
          code: "VALUE_STORE_CHANGED",
          message: expect.stringContaining('v1 of "AUTH"'),
          hint: expect.stringContaining("lockstep secret set AUTH"),
        });
        expect(JSON.stringify(error)).not.toContain("canary");
      },
    );

    it("what is restored there, or set anew, is well again", async () => {
      const place = await kit.target("api");
      await kit.secret("AUTH");
      await kit.bind("AUTH", "api");
      await set("ours");
      await troubles.deleted(await pathOf(1));
      await kit.drain(context);
      expect(at(place)).toBeNull();
      expect((await valueFacts(context)).troubled).toHaveLength(1);
      asRoot("POST", `undelete/${await pathOf(1)}`, { versions: [1] });
      await kit.hurry();
      await kit.drain(context);
      expect(at(place)).toBe("ours");
      await hoursPass(2);
      await sweep();
      expect((await valueFacts(context)).troubled).toEqual([]);
      await troubles.absent(await pathOf(1));
      await set("anew");
      await kit.drain(context);
      expect(at(place)).toBe("anew");
    });

    it("an old value that is gone keeps no other from its place", async () => {
      const place = await kit.target("api");
      await kit.secret("AUTH");
      await kit.bind("AUTH", "api");
      await set("old");
      await kit.drain(context);
      await troubles.destroyed(await pathOf(1));
      await set("new");
      await kit.rows("update binding set take_over = true");
      await kit.drain(context);
      expect(at(place)).toBe("new");
    });

    it("a value that was written a moment ago and is not to be seen yet is no finding", async () => {
      vault.vault.staleReads({ reads: 2 });
      await set("fresh");
      expect(await reveal().catch(({ code }: LockstepError) => code)).toBe("VALUE_STORE_UNAVAILABLE");
      vault.vault.staleReads(null);
      expect((await valueFacts(context)).troubled).toEqual([]);
    });

    it("rows that are exchanged in the database lead to nobody else's value", async () => {
      await set("first");
      await set("second");
      await kit.rows(
        `update secret_version v set value_name = '2-' || split_part(o.value_name, '-', 2), value_created_time = o.value_created_time
         from secret_version o where v.version = 2 and o.version = 1`,
      );
      clock.advance(HOUR_MS);
      await expect(reveal(2)).rejects.toMatchObject({ code: "VALUE_STORE_CHANGED" });
    });
  });

  describe("the walk", () => {
    it("a store that was set back meets no older value under its numbers, and takes none for its own", async () => {
      await set("one");
      await set("before");
      // As a restore brings back what was before: the row is gone, the value is not.
      await kit.rows("delete from secret_version where version = 2");
      await kit.rows("update secret_version set state = 'current' where version = 1");
      await hoursPass(2);
      await sweep();
      // It may be the only copy of what was newer: nothing goes, and a person is told.
      expect(standing()).toHaveLength(2);
      expect((await valueFacts(context)).strangers).toBe(1);
      expect(await set("after")).toMatchObject({ version: 2 });
      expect(await reveal(2)).toBe("after");
      await hoursPass(7);
      await sweep();
      // Now its number is another value's.
      expect(standing()).toHaveLength(2);
      expect((await valueFacts(context)).strangers).toBe(0);
      expect(await reveal(2)).toBe("after");
    });

    it.each([
      ["empty", { kind: "answer", status: 404, body: { errors: [] } }],
      ["refused", { kind: "policy-denied" }],
      ["sealed", { kind: "sealed" }],
    ] as const)("a list that is %s deletes nothing", async (_what, fault) => {
      await set("kept");
      await kit.rows("update secret_version set value_looked_at = now()");
      await hoursPass(0);
      vault.vault.fault({ method: "GET", path: "secret/metadata/lockstep/*", times: "always" }, fault);
      vault.vault.fault({ method: "LIST", path: "secret/metadata/lockstep/*", times: "always" }, fault);
      await kit.rows("update value_walk set next_at = now()");
      await sweep();
      vault.vault.clearFaults();
      expect(standing()).toHaveLength(1);
      expect(await intents()).toEqual([]);
    });

    it("what is younger than an hour by Vault's clock stays", async () => {
      await set("one");
      const [row] = await kit.rows<{ id: string }>("select id from secret");
      const stray = { secretId: row?.id ?? "", version: 1, name: named.nameFor(1) ?? "" };
      await named.put(stray, stray.name, '{"value":"stray"}');
      await sweep();
      expect(standing()).toHaveLength(2);
      await hoursPass(7);
      await sweep();
      expect(standing()).toEqual([await pathOf(1)]);
    });

    it("two processes walk once", async () => {
      await set("one");
      await hoursPass(7);
      await Promise.all([sweep(), sweep(process())]);
      const walks = vault.vault.calls
        .list({ path: `secret/metadata/lockstep/${storeId}*` })
        .filter(({ path }) => path.replace(/\/$/, "").endsWith(storeId));
      expect(walks).toHaveLength(1);
    });

    it("a store that was set back removes nothing, and still looks", async () => {
      await set("one");
      await set("two");
      const [dying, there] = dyingAt("value-removal");
      void destroyVersion(dying, TESTER, NAME, 1);
      await there;
      await hoursPass(7);
      const { store } = context;
      const meta = Object.assign(Object.create(store.read.meta), { setBack: async () => ({}) });
      await sweep(process({ store: { ...store, read: { ...store.read, meta } } }));
      expect(standing()).toHaveLength(2);
      expect(await kit.rows("select version from secret_version where value_looked_at is not null")).toEqual([
        { version: 2 },
      ]);
    });
  });

  describe("moving", () => {
    const all = async (wanted: "postgres" | "vault", by?: AppContext) => {
      const mover = by ?? process({}, wanted);
      let moved = 0;
      for (let after: Parameters<typeof moveValues>[2] = null; ; ) {
        const part = await moveValues(mover, TESTER, after);
        moved += part.moved;
        after = part.next;
        if (after === null) return { ...part, moved };
      }
    };
    const inPostgres = process.bind(null, {}, "postgres");

    it("there and back: every value is the same, nothing is left, and the record names both stores", async () => {
      for (const value of ["one", "two", "three"]) await set(value, inPostgres());
      expect(await all("vault")).toMatchObject({ to: "vault", moved: 3, left: 0, unreadable: [] });
      expect(standing()).toHaveLength(3);
      expect(await kit.rows("select from secret_version where value_sealed is not null")).toEqual([]);
      expect(await reveal(2)).toBe("two");
      expect(await all("postgres")).toMatchObject({ to: "postgres", moved: 3, left: 0 });
      expect(standing()).toEqual([]);
      expect(await Promise.all([1, 2, 3].map((version) => reveal(version)))).toEqual(["one", "two", "three"]);
      expect(
        await kit.rows(
          `select details from audit_entry where action = 'store.values_moved' and subject_id = '${storeId}' order by at`,
        ),
      ).toEqual([
        { details: { from: "postgres", to: "vault", values: 3 } },
        { details: { from: "vault", to: "postgres", values: 3 } },
      ]);
    });

    it("more than one part; a repeated run moves nothing", async () => {
      const { secretId } = await set("value 1", inPostgres());
      const numbers = Array.from({ length: 51 }, (_, index) => index + 2);
      await transactionWithValues(inPostgres(), async (tx) => {
        await tx.secrets.lockForNewVersion(secretId);
        const wanted = numbers.map((version) => ({
          secretId,
          version,
          fields: new Map([["value", SecretValue.of(`value ${version}`)]]),
        }));
        tx.values.need(wanted);
        for (const one of wanted) {
          const { stored, fingerprint } = tx.values.take(one);
          const { version } = one;
          await tx.secrets.addVersion({
            secretId,
            version,
            state: "retired",
            value: stored,
            fingerprint,
            createdBy: "",
          });
        }
      });
      expect(await all("vault")).toMatchObject({ moved: 52, left: 0 });
      expect(await all("vault")).toMatchObject({ moved: 0, left: 0 });
      expect(await reveal(52)).toBe("value 52");
    });

    it("two at once: each value moves once, and what the other has put goes again", async () => {
      for (const value of ["one", "two", "three"]) await set(value, inPostgres());
      const both = await Promise.all([all("vault"), all("vault")]);
      expect(both.reduce((sum, { moved }) => sum + moved, 0)).toBe(3);
      expect(standing()).toHaveLength(3);
      expect(await intents()).toEqual([]);
      expect(await reveal(3)).toBe("three");
    });

    it.each([
      ["value-intent", "vault"],
      ["value-put", "vault"],
      ["values-moved", "vault"],
      ["value-put", "postgres"],
      ["values-moved", "postgres"],
      ["value-removal", "postgres"],
      ["value-removed", "postgres"],
    ] as const)(
      "killed at %s on the way to %s: nothing is lost, the next run ends it, nothing stays behind",
      async (point, to) => {
        const other = to === "vault" ? "postgres" : "vault";
        for (const value of ["one", "two"]) await set(value, process({}, other));
        const [dying, there] = dyingAt(point, to);
        void all(to, dying);
        await there;
        expect([await reveal(1), await reveal(2)]).toEqual(["one", "two"]);
        expect(await all(to)).toMatchObject({ left: 0, unreadable: [] });
        expect([await reveal(1), await reveal(2)]).toEqual(["one", "two"]);
        await hoursPass(2);
        await sweep();
        expect(await intents()).toEqual([]);
        expect(standing()).toHaveLength(to === "vault" ? 2 : 0);
      },
    );

    it("a value that somebody changed stays where it is and is named; the others move", async () => {
      for (const value of ["one", "two"]) await set(value);
      clock.advance(HOUR_MS);
      vault.vault.request("DELETE", `secret/data/${await pathOf(1)}`);
      expect(await all("postgres")).toMatchObject({
        moved: 1,
        left: 1,
        unreadable: [{ secret: "AUTH", version: 1, code: "VALUE_STORE_CHANGED", trouble: "deleted" }],
      });
      expect(await reveal(2)).toBe("two");
      expect(standing()).toHaveLength(1);
    });

    it("Vault goes away in the middle: what was moved stays moved, and the rest is where it was", async () => {
      for (const value of ["one", "two", "three"]) await set(value, inPostgres());
      vault.vault.fault(
        { method: "POST", path: "secret/data/*", skip: 1, times: "always" },
        { kind: "sealed" },
      );
      await expect(all("vault")).rejects.toMatchObject({ code: "VALUE_STORE_UNAVAILABLE" });
      vault.vault.clearFaults();
      expect(await Promise.all([1, 2, 3].map((version) => reveal(version)))).toEqual(["one", "two", "three"]);
      expect(await all("vault")).toMatchObject({ left: 0 });
      await hoursPass(2);
      await sweep();
      expect(standing()).toHaveLength(3);
    });

    it("a version that is destroyed while it moves is destroyed, in both stores", async () => {
      await set("old", inPostgres());
      await set("new", inPostgres());
      let isDestroyed = false;
      const mover = process({
        checkpoint: async (at) => {
          if (at !== "value-put" || isDestroyed) return;
          isDestroyed = true;
          await destroyVersion(context, TESTER, NAME, 1);
        },
      });
      await all("vault", mover);
      expect(await versionStates()).toEqual(["2 current", "1 destroyed"]);
      expect(standing()).toEqual([await pathOf(2)]);
    });

    it("rewrap finds nothing of what is in Vault, and says how many values are there", async () => {
      await set("in vault");
      const { sealedTexts, valuePlaces } = context.store.read;
      expect(await sealedTexts.page(null, 10)).toEqual([]);
      expect([...(await sealedTexts.countByKey()).values()]).toEqual([]);
      expect(await valuePlaces.count("named")).toBe(1);
    });
  });

  it("a mount that deletes by itself is refused with words, and the value that was put goes", async () => {
    vault.vault.request("POST", "secret/config", { delete_version_after: "1h" });
    await expect(set("refused")).rejects.toMatchObject({
      code: "VALUE_STORE_REFUSED",
      hint: expect.stringContaining("delete_version_after"),
    });
    vault.vault.request("POST", "secret/config", { delete_version_after: "0s" });
    expect(await versionStates()).toEqual([]);
    await hoursPass(2);
    await sweep();
    expect(standing()).toEqual([]);
  });

  it("a server that was told of no Vault says so, and reads what it has", async () => {
    await set("in vault");
    const { sealed } = kit.context.values;
    const blind = process({ values: { wanted: sealed, sealed, named: null } });
    await expect(reveal(undefined, blind)).rejects.toMatchObject({ code: "VALUE_STORE_UNAVAILABLE" });
    expect((await valueFacts(blind)).unknownStore).toBe(1);
    expect(await set("sealed", blind)).toMatchObject({ version: 2 });
    expect(await reveal(2, blind)).toBe("sealed");
  });
});
