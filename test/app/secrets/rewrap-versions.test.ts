/** Keys with versions: rotated where they are kept, at any moment, by anybody. */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLocalKeyRing } from "../../../src/adapters/crypto/local-key-ring.ts";
import { keptElsewhere } from "../../../src/adapters/crypto/ring-sources.ts";
import { openStoreKeys } from "../../../src/adapters/crypto/store-keys.ts";
import { createStore } from "../../../src/adapters/store/store.ts";
import type { AppContext } from "../../../src/app/base/context.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { revealSecret } from "../../../src/app/secrets/read-secrets.ts";
import { rewrapAll } from "../../../src/app/secrets/rewrap-all.ts";
import { isAtLeast } from "../../../src/core/key-id.ts";
import type { KeyRing } from "../../../src/core/ports/key-ring.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";
import { createVersionedRing, type VersionedRing } from "../../support/versioned-ring.ts";

const BASE = "abcdefghijklmn_-";

describeOnAStore("rewrapping to a key with versions", (database) => {
  let kit: LoopKit;
  let ring: VersionedRing;
  const local = createLocalKeyRing(new Uint8Array(32).fill(21));

  beforeEach(async () => {
    kit = createLoopKit(database());
    await kit.reset();
    await kit.rows("truncate store_meta");
    ring = createVersionedRing(BASE);
  });

  const opened: { close(): void }[] = [];
  afterEach(() => {
    for (const keys of opened.splice(0)) keys.close();
  });
  async function server(wanted: KeyRing, previous: KeyRing | null = null): Promise<AppContext> {
    const keys = await openStoreKeys(createStore(database().openPool()), {
      wanted: keptElsewhere(wanted),
      previous: previous === null ? [] : [keptElsewhere(previous)],
    });
    opened.push(keys);
    return kit.other(keys);
  }
  const name = (index: number) => ({ environment: "production", name: `SECRET_${index}` });
  const set = (context: AppContext, index: number, value = `value ${index}`) =>
    setSecret(context, TESTER, name(index), { value: SecretValue.of(value) });
  const read = async (context: AppContext, index: number) =>
    (await revealSecret(context, TESTER, name(index))).fields.get("value")?.reveal();
  const keyIds = async () => [...(await database().store.read.sealedTexts.countByKey()).keys()];
  const sealing = async () => (await database().store.read.meta.read())?.sealingKeyId;

  it("a text under a newer version is taken, one under an older version or another key is not", async () => {
    ring.version = 5;
    const { secretId } = await set(await server(ring), 1);
    const sealedUnder = (keyId: string) =>
      database().pool.query("update secret_version set value_sealed = $1 where secret_id = $2", [
        `lockstep.v1.${keyId}.x.y.${randomUUID()}`,
        secretId,
      ]);
    for (const keyId of [`${BASE}-v5`, `${BASE}-v6`, `${BASE}-v10`, `${BASE}-v999999999`])
      await sealedUnder(keyId);
    const others = [
      ...[`${BASE}-v4`, `${BASE}-v0`, `${BASE}-v05`, `${BASE}-v`, BASE, "", `x${BASE}-v5`],
      ...[`${BASE}-v-6`, `${BASE}-v6x`, `x${BASE.slice(1)}-v6`, `${BASE}-v9999999999`],
    ];
    for (const keyId of others)
      await expect(sealedUnder(keyId), keyId).rejects.toMatchObject({ code: "LK001" });
    // The store and our own code judge alike.
    for (const keyId of others) expect(isAtLeast(keyId, `${BASE}-v5`), keyId).toBe(false);
  });

  it("moves from the root key to it, and back; then the one before opens nothing", async () => {
    const before = await server(local);
    await set(before, 1);
    const both = await server(ring, local);
    await set(both, 2);
    expect(await sealing()).toBe(local.rootKeyId);
    expect(await rewrapAll(both, TESTER)).toMatchObject({
      versions: 2,
      left: 0,
      ring: `versioned ${BASE} v1`,
    });
    expect(await keyIds()).toEqual([`${BASE}-v1`]);
    await expect(read(before, 1)).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED" });
    await expect(set(before, 1, "late")).rejects.toMatchObject({ code: "ROOT_KEY_CHANGED" });
    expect(await read(await server(ring), 2)).toBe("value 2");

    expect(await rewrapAll(await server(local, ring), TESTER)).toMatchObject({ left: 0, ring: "local" });
    expect(await keyIds()).toEqual([local.rootKeyId]);
    ring.isAway = true;
    expect(await read(await server(local), 1)).toBe("value 1");
  });

  it("a rotation alone needs nothing: old and new versions stand side by side, until `rewrap` moves the old ones", async () => {
    const context = await server(ring);
    await set(context, 1);
    ring.version = 2;
    await set(context, 2);
    expect((await keyIds()).sort()).toEqual([`${BASE}-v1`, `${BASE}-v2`]);
    expect([await read(context, 1), await read(context, 2)]).toEqual(["value 1", "value 2"]);
    expect(await rewrapAll(context, TESTER)).toMatchObject({
      versions: 1,
      left: 0,
      ring: `versioned ${BASE} v2`,
    });
    expect(await keyIds()).toEqual([`${BASE}-v2`]);
    ring.oldestOpened = 2;
    expect(await read(await server(ring), 1)).toBe("value 1");
    expect(await rewrapAll(context, TESTER)).toMatchObject({ versions: 0, left: 0 });
  });

  it("a rotation in the middle does no harm, and `done` stays true", async () => {
    const context = await server(ring, null);
    for (const index of [1, 2, 3]) await set(context, index);
    ring.version = 2;
    let left = 2;
    const wrap = ring.wrap.bind(ring);
    const rotated: VersionedRing = Object.assign(ring, {
      wrap: (...parameters: Parameters<KeyRing["wrap"]>) => {
        left -= 1;
        if (left === 0) ring.version = 3;
        return wrap(...parameters);
      },
    });
    expect(rotated.version).toBe(2);
    expect(await rewrapAll(context, TESTER)).toMatchObject({ versions: 3, left: 0 });
    expect(await sealing()).toBe(`${BASE}-v2`);
    for (const keyId of await keyIds()) expect(isAtLeast(keyId, `${BASE}-v2`)).toBe(true);
  });

  it("another run that aims at a newer version takes this one along", async () => {
    const context = await server(ring);
    for (const index of [1, 2, 3]) await set(context, index);
    ring.version = 2;
    let isFirst = true;
    const attacked: AppContext = {
      ...context,
      sealer: {
        ...context.sealer,
        rewrap: async (sealed, bound, lowest) => {
          const anew = await context.sealer.rewrap(sealed, bound, lowest);
          if (isFirst) {
            isFirst = false;
            ring.version = 3;
            await rewrapAll(await server(ring), TESTER);
            await kit.rows("update secret_version set value_sealed = value_sealed");
          }
          return anew;
        },
      },
    };
    expect(await rewrapAll(attacked, TESTER)).toMatchObject({ left: 0, ring: `versioned ${BASE} v3` });
    expect(await sealing()).toBe(`${BASE}-v3`);
    expect(await keyIds()).toEqual([`${BASE}-v3`]);
    expect(await read(context, 3)).toBe("value 3");
  });

  it("a text that was sealed just before a rewrap to a newer version is sealed once more", async () => {
    const context = await server(ring);
    await set(context, 1);
    ring.version = 2;
    let isFirst = true;
    const { store, storeId, fingerprinter } = context;
    const late = kit.other({
      store,
      storeId,
      fingerprinter,
      sealer: {
        ...context.sealer,
        seal: async (plain, bound) => {
          if (!isFirst) return context.sealer.seal(plain, bound);
          isFirst = false;
          ring.version = 1;
          const sealed = await context.sealer.seal(plain, bound);
          ring.version = 2;
          await database().pool.query("update store_meta set sealing_key_id = $1", [`${BASE}-v2`]);
          return sealed;
        },
      },
    });
    await set(late, 2);
    expect(isFirst).toBe(false);
    expect(await read(context, 2)).toBe("value 2");
  });

  it("a ring that went back to an older version seals nothing, and says so", async () => {
    ring.version = 2;
    const context = await server(ring);
    ring.version = 1;
    await expect(set(context, 1)).rejects.toMatchObject({ code: "KEY_RING_REFUSED" });
    await expect(set(context, 1)).rejects.toThrow(/gone back/);
  });

  it("a ring that is away says nothing about the store's key", async () => {
    await server(ring);
    ring.isAway = true;
    const locked = await server(ring);
    await expect(locked.sealer.seal("x", "row")).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    ring.isAway = false;
    await server(ring);
  });

  it("a ring that goes away in the middle leaves everything readable, and the next run ends the work", async () => {
    const both = await (async () => {
      await set(await server(local), 1);
      return server(ring, local);
    })();
    await set(both, 2);
    let left = 2;
    const wrap = ring.wrap.bind(ring);
    Object.assign(ring, {
      wrap: (...parameters: Parameters<KeyRing["wrap"]>) => {
        left -= 1;
        if (left === 0) ring.isAway = true;
        return wrap(...parameters);
      },
    });
    await expect(rewrapAll(both, TESTER)).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    ring.isAway = false;
    expect([await read(both, 1), await read(both, 2)]).toEqual(["value 1", "value 2"]);
    expect(await rewrapAll(both, TESTER)).toMatchObject({ left: 0, unreadable: [] });
    expect((await keyIds()).length).toBe(1);
  });
});
