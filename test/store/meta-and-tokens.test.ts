import { expect, test } from "vitest";
import { describeOnEachStore } from "../support/database.ts";

const STORE_ID = "11111111-2222-4333-8444-555555555555";

describeOnEachStore("the store's identity and its tokens", (getDatabase) => {
  test("an empty store has no identity, gets one once, and never a second", async () => {
    const { store } = getDatabase();
    expect(await store.read.meta.read()).toBeNull();
    expect(await store.read.meta.holdsSealedData()).toBe(false);
    const meta = { storeId: STORE_ID, keyCheck: "check", fingerprintKeySealed: "sealed" };
    await store.transaction((tx) => tx.meta.create(meta));
    await expect(
      store.transaction((tx) => tx.meta.create({ ...meta, keyCheck: "other" })),
    ).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    await store.transaction((tx) => tx.meta.replaceFingerprintKey("resealed"));
    const known = { ...meta, epoch: 1, fingerprintKeySealed: "resealed", sealingKeyId: "" };
    expect(await store.read.meta.read()).toEqual({ ...known, recoveryCopy: null });
    await store.transaction((tx) => tx.meta.recordRecoveryCopy("key-in-use"));
    expect(await store.read.meta.read()).toEqual({
      ...known,
      recoveryCopy: { keyId: "key-in-use", checkedAt: expect.any(Date) },
    });
    expect(await store.read.meta.holdsSealedData()).toBe(true);
  });

  test("a version or a credential alone makes the store hold sealed data", async () => {
    const { store, pool } = getDatabase();
    await pool.query("delete from store_meta");
    expect(await store.read.meta.holdsSealedData()).toBe(false);
    await pool.query(
      `with place as (insert into environment (name) values ('sealed') returning id)
       insert into target (environment_id, name, kind, config, credentials_sealed, destination)
       select id, 'api', 'memory', '{}', 'sealed', 'memory' from place`,
    );
    expect(await store.read.meta.holdsSealedData()).toBe(true);
  });

  test("tokens are found with their hash and listed without it", async () => {
    const { store } = getDatabase();
    const expiresAt = new Date("2030-01-01T00:00:00Z");
    const token = {
      id: "abc",
      name: "ci",
      secretHash: "hash-canary",
      scopes: ["read", "rotate"],
      createdBy: "ops",
    };
    await store.transaction((tx) => tx.tokens.add({ ...token, expiresAt }));
    await expect(store.transaction((tx) => tx.tokens.add(token))).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(await store.read.tokens.find("abc")).toMatchObject({ ...token, expiresAt, revokedAt: null });
    expect(await store.read.tokens.find("nobody")).toBeNull();
    expect(JSON.stringify(await store.read.tokens.list())).not.toContain("hash-canary");
  });

  test("a token is revoked once, and stays to be found", async () => {
    const { store } = getDatabase();
    const token = { id: "leaving", name: "ci", secretHash: "h", scopes: [], createdBy: "ops" };
    await store.transaction((tx) => tx.tokens.add(token));
    expect(await store.transaction((tx) => tx.tokens.revoke("leaving"))).toBe(true);
    expect(await store.transaction((tx) => tx.tokens.revoke("leaving"))).toBe(false);
    expect(await store.transaction((tx) => tx.tokens.revoke("nobody"))).toBe(false);
    expect((await store.read.tokens.find("leaving"))?.revokedAt).toBeInstanceOf(Date);
  });

  test("use is written at most once a minute", async () => {
    const { store, pool } = getDatabase();
    const token = { id: "busy", name: "ci", secretHash: "h", scopes: [], createdBy: "ops" };
    await store.transaction((tx) => tx.tokens.add(token));
    const touch = async (): Promise<Date | null | undefined> => {
      await store.transaction((tx) => tx.tokens.touch("busy"));
      return (await store.read.tokens.find("busy"))?.lastUsedAt;
    };
    const first = await touch();
    expect(first).toBeInstanceOf(Date);
    expect(await touch()).toEqual(first);
    await pool.query("update api_token set last_used_at = now() - interval '2 minutes' where id = 'busy'");
    expect((await touch())?.getTime()).toBeGreaterThanOrEqual(first?.getTime() ?? Number.POSITIVE_INFINITY);
  });
});
