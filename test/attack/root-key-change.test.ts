/**
 * Ruling 32 under attack: everybody who can writes while `rewrap` moves the store to another root key, and the process
 * that moves it is killed. Each "server" has its own key files and its own connections.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { rootKeyFile } from "../../src/adapters/crypto/ring-sources.ts";
import { createRootKey } from "../../src/adapters/crypto/root-key-file.ts";
import { openStoreKeys } from "../../src/adapters/crypto/store-keys.ts";
import { SEALED_COLUMNS } from "../../src/adapters/store/repositories/sealed-texts.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { runDoctor } from "../../src/app/doctor/run-doctor.ts";
import { reconcileTarget } from "../../src/app/jobs/reconcile-target.ts";
import { setSecret } from "../../src/app/secrets/change-secret.ts";
import { revealSecret } from "../../src/app/secrets/read-secrets.ts";
import { rewrapAll } from "../../src/app/secrets/rewrap-all.ts";
import { versionAssociatedData } from "../../src/core/associated-data.ts";
import type { Sealer } from "../../src/core/ports/sealer.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { startWorker } from "../../src/edges/worker/worker.ts";
import { mapLimited } from "../../src/lib/map-limited.ts";
import { describeOnAStore, somebodyWaitsForLock } from "../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";

describeOnAStore("changing the root key under fire", (database) => {
  let kit: LoopKit;
  let directory: string;
  const file = (key: string) => join(directory, `${key}.key`);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "lockstep-rewrap-"));
    kit = createLoopKit(database());
    await kit.reset();
    await kit.rows("truncate store_meta");
    for (const key of ["old", "new", "third"]) await createRootKey(file(key));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** A server that was started with these key files, the first being its root key. */
  async function server(key: string, previous: string | null = null): Promise<AppContext> {
    const keys = await openStoreKeys(createStore(database().openPool()), {
      wanted: rootKeyFile(file(key)),
      previous: previous === null ? [] : [rootKeyFile(file(previous))],
    });
    return kit.other(keys);
  }
  const name = (index: number) => ({ environment: "production", name: `SECRET_${index}` });
  const set = (context: AppContext, index: number, value = `value ${index}`) =>
    setSecret(context, TESTER, name(index), { value: SecretValue.of(value) });
  const read = async (context: AppContext, index: number) =>
    (await revealSecret(context, TESTER, name(index))).fields.get("value")?.reveal();
  /** What stands in the database itself, by the key that it is sealed under. */
  async function sealedUnder(keyId: string | null): Promise<number> {
    let sum = 0;
    for (const { table, column } of SEALED_COLUMNS) {
      const [row] = await kit.rows<{ n: number }>(
        `select count(*)::int as n from ${table} where split_part(${column}, '.', 3) = '${keyId}'`,
      );
      sum += row?.n ?? 0;
    }
    return sum;
  }
  /** The same server, which runs `work` before its `at`th text is moved. */
  function midway(context: AppContext, at: number, work: () => Promise<void>): AppContext {
    let left = at;
    const sealer: Sealer = {
      ...context.sealer,
      rewrap: async (sealed, bound, lowest) => {
        left -= 1;
        if (left === 0) await work();
        return context.sealer.rewrap(sealed, bound, lowest);
      },
    };
    return { ...context, sealer };
  }

  it("ruling 32: a server that has only the old key writes nothing once the pass began, and `done` is true", async () => {
    const old = await server("old");
    for (let index = 0; index < 5; index += 1) await set(old, index);
    const mover = await server("new", "old");
    const refused: unknown[] = [];
    const attacked = midway(mover, 3, async () => {
      // Behind the walk as well as ahead of it, and by a transaction that never asked the server's code.
      for (const index of [0, 4, 9]) refused.push(await set(old, index, "late").catch((error) => error.code));
    });
    const done = await rewrapAll(attacked, TESTER);
    expect(refused).toEqual(["ROOT_KEY_CHANGED", "ROOT_KEY_CHANGED", "ROOT_KEY_CHANGED"]);
    expect(done).toMatchObject({ versions: 5, left: 0, unreadable: [] });
    expect(await sealedUnder(old.rootKeyId)).toBe(0);
    const alone = await server("new");
    for (let index = 0; index < 5; index += 1) expect(await read(alone, index)).toBe(`value ${index}`);
  });

  it("ruling 32: the store itself refuses a text under another key, whoever's code sends it", async () => {
    const old = await server("old");
    const { secretId } = await set(old, 1);
    await set(old, 2);
    const late = await old.sealer.seal("late", "row");
    await rewrapAll(await server("new", "old"), TESTER);
    const { pool } = database();
    const refused = { code: "LK001" };
    await expect(
      pool.query("update secret_version set value_sealed = $1 where secret_id = $2", [late, secretId]),
    ).rejects.toMatchObject(refused);
    await expect(
      pool.query("insert into store_key (name, public, private_sealed) values ('bundle', '{}', $1)", [late]),
    ).rejects.toMatchObject(refused);
    await expect(
      pool.query(
        "insert into channel (name, kind, destination, credentials_sealed) values ('ops', 'slack', 'x', $1)",
        [late],
      ),
    ).rejects.toMatchObject(refused);
    await expect(
      pool.query("update store_meta set fingerprint_key_sealed = $1", [late]),
    ).rejects.toMatchObject(refused);
    await pool.query("update secret_version set expires_at = now() where secret_id = $1", [secretId]);
  });

  it("ruling 32: a transaction that sealed before the key changed ends first, and its text moves too", async () => {
    const old = await server("old");
    const { secretId } = await set(old, 1);
    const mover = await server("new", "old");
    const held = await old.sealer.seal('{"value":"held"}', versionAssociatedData(secretId, 1));
    let moving: Promise<unknown> | undefined;
    await old.store.transaction(async (tx) => {
      await tx.secrets.replaceSealedValue(secretId, 1, held);
      moving = rewrapAll(mover, TESTER);
      await somebodyWaitsForLock(database());
    });
    expect(await moving).toMatchObject({ versions: 1, left: 0, unreadable: [] });
    expect(await sealedUnder(old.rootKeyId)).toBe(0);
    expect(await read(await server("new"), 1)).toBe("held");
  });

  it("ruling 32: killed between two pages and anywhere in one, the next run ends the work", async () => {
    const old = await server("old");
    await mapLimited([...Array(203).keys()], 4, (index) => set(old, index));
    const mover = await server("new", "old");
    const killed = (at: number) =>
      rewrapAll(
        midway(mover, at, () => Promise.reject(new Error("killed"))),
        TESTER,
      );
    await expect(killed(1)).rejects.toThrow("killed");
    await expect(killed(202)).rejects.toThrow("killed");
    await expect(set(old, 1, "late")).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED" });
    const both = await server("new", "old");
    expect([await read(both, 0), await read(both, 202)]).toEqual(["value 0", "value 202"]);
    await set(both, 300);
    // Half moved: neither key alone opens the store.
    await expect(server("new")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    await expect(server("old")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    expect(await rewrapAll(both, TESTER)).toMatchObject({ left: 0, unreadable: [] });
    expect(await sealedUnder(old.rootKeyId)).toBe(0);
    expect(await read(await server("new"), 202)).toBe("value 202");
    // Law 2: a second run moves nothing.
    expect(await rewrapAll(both, TESTER)).toMatchObject({ versions: 0, left: 0 });
  });

  it("ruling 32: of two runs at once each text is moved by one, and both say what is so", async () => {
    const old = await server("old");
    for (let index = 0; index < 20; index += 1) await set(old, index);
    const runs = await Promise.all([
      rewrapAll(await server("new", "old"), TESTER),
      rewrapAll(await server("new", "old"), TESTER),
    ]);
    expect(runs.map(({ left, unreadable }) => [left, unreadable])).toEqual([
      [0, []],
      [0, []],
    ]);
    expect(runs.reduce((sum, { versions }) => sum + versions, 0)).toBe(20);
    expect(await sealedUnder(old.rootKeyId)).toBe(0);
  });

  it("ruling 32: a server that was left behind moves nothing back, and one with a third key moves nothing", async () => {
    const old = await server("old");
    await set(old, 1);
    await rewrapAll(await server("new", "old"), TESTER);
    await expect(rewrapAll(old, TESTER)).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED" });
    await expect(server("third", "old")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    expect(await read(await server("new"), 1)).toBe("value 1");
    // The way back is the same way: with the key in use as the previous one.
    await rewrapAll(await server("old", "new"), TESTER);
    expect(await read(await server("old"), 1)).toBe("value 1");
  });

  it("ruling 32: until the pass begins, a server with both keys seals under the store's", async () => {
    const old = await server("old");
    const both = await server("new", "old");
    await set(both, 1);
    expect(await read(old, 1)).toBe("value 1");
    expect(await sealedUnder(both.rootKeyId)).toBe(0);
  });

  it("ruling 32: a worker that was left behind records no failure at a place; doctor and /readyz say why", async () => {
    const old = await server("old");
    await kit.target("api");
    await set(old, 1);
    await kit.bind("SECRET_1", "api");
    await set(old, 1, "second");
    const [id = ""] = await kit.targetIds("api");
    const mover = await server("new", "old");
    await rewrapAll(mover, TESTER);

    await expect(old.sealer.assertCurrent()).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED", status: 503 });
    const findings = async (context: AppContext) =>
      (await runDoctor(context, { live: false, timeoutMs: 1000 }, new AbortController().signal)).findings;
    expect(await findings(old)).toContainEqual(
      expect.objectContaining({ id: "root-key-changed", severity: "wrong" }),
    );
    expect((await findings(mover)).map((finding) => finding.id)).not.toContain("root-key-changed");

    // A whole worker: it sweeps, sees that it may not, and leaves the place to others.
    const refused: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const warn = (message: string, details?: object): void => {
        refused.push(`${message} ${(details as { readonly code?: string }).code}`);
        if (refused.length >= 4) worker.then((started) => started.close()).then(resolve, reject);
      };
      const worker = startWorker({ ...old, log: { ...old.log, warn } }, { concurrency: 1 });
    });
    for (const name of ["sweep", "check", "watch", "deliver"])
      expect(refused).toContain(`${name} failed ROOT_KEY_CHANGED`);
    expect(await kit.rows("select from push")).toEqual([]);
    // A job that began a moment before fails for a while, and not for good.
    await reconcileTarget(old, id, new AbortController().signal);
    expect(await kit.rows("select error_code, gave_up_at from target")).toEqual([
      { error_code: "ROOT_KEY_CHANGED", gave_up_at: null },
    ]);
    await kit.hurry();
    await kit.drain(mover);
    expect(await kit.rows("select settled_generation = generation as settled from target")).toEqual([
      { settled: true },
    ]);
  });

  it("ruling 32: doctor counts what its keys do not open, and what the previous one still opens", async () => {
    const old = await server("old");
    await set(old, 1);
    const both = await server("new", "old");
    const doctor = async (context: AppContext) =>
      (await runDoctor(context, { live: false, timeoutMs: 1000 }, new AbortController().signal)).findings;
    expect(await doctor(both)).toContainEqual(
      expect.objectContaining({ id: "rewrap-unfinished", command: "lockstep rewrap" }),
    );
    await rewrapAll(both, TESTER);
    expect((await doctor(both)).map(({ id }) => id)).not.toContain("rewrap-unfinished");
    // A row from another time, by somebody who may do everything with the database.
    await kit.rows("alter table secret_version disable trigger sealed_value");
    await kit.rows(
      "update secret_version set value_sealed = regexp_replace(value_sealed, '^lockstep.v1.[^.]+', 'lockstep.v1.elsewhere')",
    );
    await kit.rows("alter table secret_version enable trigger sealed_value");
    expect(await doctor(both)).toContainEqual(
      expect.objectContaining({ id: "sealed-unopened", severity: "wrong" }),
    );
    expect(await rewrapAll(both, TESTER)).toMatchObject({
      left: 1,
      unreadable: [{ kind: "version", version: 1 }],
    });
  });
});
