/**
 * Law 3 and ruling 29: "A store knows when it went back: a mark or report above its generation, or equal with a digest
 * that it never wrote there, freezes every target (observe-only, one loud finding) until a person begins a new epoch."
 *
 * Played over real hosts and a simulated Railway with two lives of one store: a copy that was taken before rotations, and
 * the one that went on.
 */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../src/adapters/targets/railway/target.ts";
import { closeSshConnections, sshKind } from "../../src/adapters/targets/ssh/target.ts";
import { importSecret } from "../../src/app/config/import-secret.ts";
import { runDoctor } from "../../src/app/doctor/run-doctor.ts";
import { checkScheduled } from "../../src/app/drift/check-scheduled.ts";
import { healPlaces } from "../../src/app/drift/heal-places.ts";
import { beginEpoch } from "../../src/app/epoch/begin-epoch.ts";
import { viewEpoch } from "../../src/app/epoch/view-epoch.ts";
import { judgeOrders } from "../../src/app/orders/judge-orders.ts";
import { renewNow } from "../../src/app/renewals/renew-now.ts";
import { viewStatus } from "../../src/app/status/status.ts";
import { useDatabase } from "../support/database.ts";
import { TESTER } from "../support/loop-kit.ts";
import { lacks } from "../support/servers.ts";
import { type RunningSshd, startSshd } from "../support/sshd.ts";
import { RailwayKit } from "../targets/railway/kit.ts";
import { type Life, Lives, never, type PlaceOf } from "./lives.ts";

const database = useDatabase();

afterAll(closeSshConnections);

interface Stage {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Places of one kind, each by a number. */
  place(number: number): Promise<PlaceOf>;
  stored(number: number): Promise<string | undefined>;
}

function hosts(sftpOnly: boolean): Stage {
  let sshd: RunningSshd;
  const paths = new Map<number, string>();
  return {
    async start() {
      sshd = await startSshd({ sftpOnly });
    },
    stop: () => sshd.stop(),
    async place(number) {
      // Of each test a place of its own: what the one before left there would be another life's.
      const path = join(mkdtempSync(join(sshd.home, "app-")), "env");
      paths.set(number, path);
      writeFileSync(path, "KEPT=theirs\n", { mode: 0o600 });
      return {
        kind: sshKind,
        raw: { ssh: { ...sshd.login, sftpOnly }, files: [{ path, format: "dotenv" }] },
        file: path,
      };
    },
    stored: async (number) => /^AUTH='?([^'\n]*)/m.exec(readFileSync(paths.get(number) ?? "", "utf8"))?.[1],
  };
}

function railway(): Stage {
  const kit = new RailwayKit();
  const services = new Map<number, string>();
  return {
    start: () => kit.start(),
    stop: () => kit.stop(),
    async place(number) {
      const { serviceId } = await kit.railway.state.addService({
        name: `service-${number}-${Math.random()}`,
      });
      services.set(number, serviceId);
      const { projectId, environmentId, projectToken } = kit.railway.defaults;
      return {
        kind: railwayKind,
        raw: {
          railway: {
            project: projectId,
            environment: environmentId,
            service: serviceId,
            token: projectToken,
            endpoint: kit.railway.url,
            requestTimeoutMs: 500,
          },
        },
      };
    },
    async stored(number) {
      const service = services.get(number) ?? "";
      return (await kit.railway.state.storedVariables({ service }))["AUTH"];
    },
  };
}

const STAGES: readonly (readonly [string, Stage, boolean])[] = [
  ["a host over SSH", hosts(false), lacks("sshd")],
  ["a host with SFTP alone", hosts(true), lacks("sshd")],
  ["Railway", railway(), false],
];

/** What does not depend on the kind of place is played at one. */
const ANY = lacks("sshd") ? "Railway" : "a host over SSH";

describe.each(STAGES)("a store that was set back, at %s", (name, stage, lacking) => {
  describe.skipIf(lacking)("where a newer value stands", () => {
    let lives: Lives;
    let first: Life;
    let target: string;

    beforeAll(() => stage.start());
    afterAll(() => stage.stop());
    beforeEach(async () => {
      lives = new Lives(database(), [sshKind, railwayKind]);
      ({ first } = lives);
      await lives.begin();
      target = await lives.place("one", await stage.place(1));
      await lives.place("two", await stage.place(2));
      await rotate(first, "value-2");
    });
    afterEach(() => lives.end());

    async function rotate(life: Life, value: string): Promise<void> {
      await lives.kit.set("AUTH", value, life.context);
      await life.rest();
    }
    const stored = async () => [await stage.stored(1), await stage.stored(2)];
    const told = (life: Life) => life.rows("select 1 from audit_entry where action = 'store.set_back'");
    const setBack = (life: Life) => life.context.store.read.meta.setBack();

    it("does not heal a rotation away that it lost: `drift: heal` (ruling 29)", async () => {
      const back = await lives.copy();
      await rotate(first, "value-3");
      await back.pool.query("update binding set drift = 'heal'");
      await checkScheduled(back.context, target, never);
      await back.rest();
      expect(await stored()).toEqual(["value-3", "value-3"]);
      expect(await setBack(back)).toMatchObject({ by: "mark" });
      expect(await setBack(first)).toBeNull();
    });

    it("does not write over two lost rotations by `heal`, however often, nor by an unrelated change", async () => {
      const back = await lives.copy();
      await rotate(first, "value-3");
      await rotate(first, "value-4");
      // Each act gives a number: at the end the same as was given, and a higher one.
      for (let act = 0; act < 6; act += 1) {
        await back.pool.query("update target set generation = generation + 1, next_action_at = now()");
        if (act > 2) await back.rest();
      }
      await back.rest();
      expect(await stored()).toEqual(["value-4", "value-4"]);
      await expect(healPlaces(back.context, TESTER, { target: "one" })).rejects.toMatchObject({
        code: "STORE_SET_BACK",
      });
      expect(await stored()).toEqual(["value-4", "value-4"]);
    });

    it("finds out before it writes: the same number, given to another value", async () => {
      const back = await lives.copy();
      await rotate(first, "value-3");
      await rotate(back, "another-3");
      expect(await stored()).toEqual(["value-3", "value-3"]);
      expect(await setBack(back)).toMatchObject({ by: "mark" });
    });

    if (name === ANY)
      it("moves nothing any more, and says so once, by one name", async () => {
        const back = await lives.copy();
        const toldBefore = await told(back);
        await rotate(first, "value-3");
        await back.look();
        await back.look();
        const refused = { code: "STORE_SET_BACK" };
        await expect(lives.kit.set("AUTH", "another", back.context)).rejects.toMatchObject(refused);
        await expect(healPlaces(back.context, TESTER, {})).rejects.toMatchObject(refused);
        const secret = { environment: "production", name: "AUTH" };
        await expect(
          importSecret(back.context, TESTER, { ...secret, from: { by: "agreement" } }),
        ).rejects.toMatchObject(refused);
        await back.pool.query(`update secret set policy = '{"issue": {"random": {}}}'`);
        await expect(renewNow(back.context, TESTER, secret, {}, never)).rejects.toMatchObject(refused);
        await back.pool.query("update target set generation = generation + 1");
        await back.rest();
        expect(await stored()).toEqual(["value-3", "value-3"]);

        const doctor = await runDoctor(back.context, { live: true, timeoutMs: 5_000 }, never);
        expect(doctor.findings.filter(({ severity }) => severity === "wrong")).toMatchObject([
          { id: "store-set-back", command: expect.stringContaining("lockstep epoch begin") },
        ]);
        expect((await viewStatus(back.context, {})).setBack).toMatchObject({ by: "mark" });
        const alerts = await back.rows<{ kind: string }>("select kind from alert where resolved_at is null");
        expect(alerts.filter(({ kind }) => kind === "store-set-back")).toHaveLength(1);
        expect(await told(back)).toHaveLength(toldBefore.length + 1);
      });

    it("goes on in a new epoch: what it does not know is foreign, and stays until somebody takes it over", async () => {
      const back = await lives.copy();
      await rotate(first, "value-3");
      // Only one of two places got the new value.
      await back.look();
      const seen = await viewEpoch(back.context, never);
      expect(seen.places).toMatchObject([
        { target: "one", stands: "unknown", import: "lockstep import AUTH --from one" },
        { target: "two", stands: "unknown" },
      ]);
      const begun = await beginEpoch(back.context, TESTER, { reason: "restored" });
      expect(begun).toMatchObject({ epoch: 2, previous: 1, targets: 2 });
      await back.rest();
      expect(await stored()).toEqual(["value-3", "value-3"]);
      const status = await viewStatus(back.context, {});
      expect(status.setBack).toBeNull();
      expect(status.secrets[0]?.bindings.map(({ state }) => state)).toEqual(["foreign", "foreign"]);
      const healed = await healPlaces(back.context, TESTER, {});
      expect([healed.healing.length, healed.refused.length]).toEqual([0, 2]);

      await importSecret(back.context, TESTER, {
        environment: "production",
        name: "AUTH",
        from: { by: "target", target: "one", environment: "production" },
      });
      await back.rest();
      await rotate(back, "value-5");
      expect(await stored()).toEqual(["value-5", "value-5"]);

      // The other life, which was the newer one until now, meets the new epoch.
      await rotate(first, "late");
      expect(await stored()).toEqual(["value-5", "value-5"]);
      expect(await setBack(first)).toMatchObject({ by: "mark" });
    });

    it("running beside the other, stops as soon as it meets what the other gave; so does the other", async () => {
      const beside = await lives.copy();
      await first.pool.query("update target set gave_up_at = now() where name = 'one'");
      await beside.pool.query("update target set gave_up_at = now() where name = 'two'");
      // Each has written at one of the places only, when they meet.
      await lives.kit.set("AUTH", "ours", first.context);
      await lives.kit.set("AUTH", "theirs", beside.context);
      await first.pool.query("update target set gave_up_at = now() where name = 'one'");
      await beside.pool.query("update target set gave_up_at = now() where name = 'two'");
      await first.rest();
      await beside.rest();
      expect(await stored()).toEqual(["theirs", "ours"]);
      await first.look();
      await beside.look();
      expect([await setBack(first), await setBack(beside)]).toMatchObject([
        { target: "one" },
        { target: "two" },
      ]);
      await first.pool.query("update target set gave_up_at = null, generation = generation + 1");
      await first.rest();
      expect(await stored()).toEqual(["theirs", "ours"]);
    });

    if (name === ANY)
      it("keeps the other places going when a mark was made up", async () => {
        const made = { storeId: first.context.storeId, epoch: 1, generation: 999, digest: "f".repeat(64) };
        const record = await first.context.store.read.targets.findById(target);
        if (record === null) throw new Error("no target");
        await expect(judgeOrders(first.context, record, [made], "mark")).rejects.toMatchObject({
          code: "ORDER_REFUSED",
        });
        await expect(
          judgeOrders(first.context, record, [{ ...made, digest: null }], "mark"),
        ).rejects.toMatchObject({ code: "ORDER_REFUSED" });
        expect(await setBack(first)).toBeNull();
      });
  });
});
