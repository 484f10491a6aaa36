import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { createLocalKeyRing, keyIdOf } from "../../../src/adapters/crypto/local-key-ring.ts";
import { createSealer } from "../../../src/adapters/crypto/sealer.ts";
import { setSecret } from "../../../src/app/secrets/change-secret.ts";
import { revealSecret } from "../../../src/app/secrets/read-secrets.ts";
import { rewrapAll } from "../../../src/app/secrets/rewrap-all.ts";
import {
  channelAssociatedData,
  credentialsAssociatedData,
  enrolmentAssociatedData,
  fingerprintKeyAssociatedData,
  keyCheckAssociatedData,
  storeKeyAssociatedData,
} from "../../../src/core/associated-data.ts";
import type { Sealer } from "../../../src/core/ports/sealer.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { mapLimited } from "../../../src/lib/map-limited.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

const OLD = new Uint8Array(32).fill(11);
const NEW = new Uint8Array(32).fill(12);
const STORE_ID = "0b5cb0b4-6a29-4a52-8bd7-5a1a6f3f0c11";

const before = createSealer([createLocalKeyRing(OLD)]);
const during = createSealer([createLocalKeyRing(NEW), createLocalKeyRing(OLD)]);
const after = createSealer([createLocalKeyRing(NEW)]);

describeOnAStore("rewrapping", (database) => {
  let kit: LoopKit;
  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    await kit.rows("truncate store_meta");
    await database().store.transaction(async (tx) => {
      await tx.meta.create({
        storeId: STORE_ID,
        keyCheck: await before.seal("check", keyCheckAssociatedData(STORE_ID)),
        fingerprintKeySealed: await before.seal("key", fingerprintKeyAssociatedData(STORE_ID)),
      });
    });
  });
  const under = (sealer: Sealer) => kit.other({ sealer, storeId: STORE_ID });
  const name = (index: number) => ({ environment: "production", name: `SECRET_${index}` });
  const set = (index: number, value: string) =>
    setSecret(under(before), TESTER, name(index), { value: SecretValue.of(value) });
  const read = async (index: number, sealer: Sealer) =>
    (await revealSecret(under(sealer), TESTER, name(index))).fields.get("value")?.reveal();

  it("moves versions, credentials and the store's own keys over several pages, and may be repeated", async () => {
    await mapLimited([...Array(205).keys()], 4, (index) => set(index, `value ${index}`));
    await kit.target("api");
    const [id = ""] = await kit.targetIds("api");
    const bound = credentialsAssociatedData(id, "somewhere");
    await database().pool.query("update target set destination = 'somewhere', credentials_sealed = $1", [
      await before.seal("token", bound),
    ]);

    const expected = {
      versions: 205,
      credentials: 1,
      agentKeys: 0,
      unreadable: [],
      left: 0,
      elsewhere: 0,
      ring: "local",
    };
    expect(await rewrapAll(under(during), TESTER)).toEqual(expected);
    expect(await read(204, after)).toBe("value 204");
    await expect(read(204, before)).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    const [target] = await kit.rows<{ sealed: string }>("select credentials_sealed as sealed from target");
    expect(await after.open(target?.sealed ?? "", bound)).toBe("token");
    const meta = await database().store.read.meta.read();
    expect(await after.open(meta?.keyCheck ?? "", keyCheckAssociatedData(STORE_ID))).toBe("check");
    expect(await after.open(meta?.fingerprintKeySealed ?? "", fingerprintKeyAssociatedData(STORE_ID))).toBe(
      "key",
    );

    expect(await rewrapAll(under(after), TESTER)).toEqual({ ...expected, versions: 0, credentials: 0 });
    expect(await kit.rows("select from audit_entry where action = 'store.rewrapped'")).not.toEqual([]);
  });

  it("the keys of agents and of their codes move too", async () => {
    await kit.target("mini");
    const [targetId = ""] = await kit.targetIds("mini");
    const enrolmentId = randomUUID();
    const keyBound = storeKeyAssociatedData(STORE_ID, "bundle");
    const codeBound = enrolmentAssociatedData(enrolmentId);
    await database().store.transaction(async (tx) => {
      await tx.agents.addKey("bundle", { public: {}, privateSealed: await before.seal("signs", keyBound) });
      const macKeySealed = await before.seal("knows", codeBound);
      const rest = { lookupHash: "hash", reusable: false, replaces: false, actor: TESTER, livesMs: 60_000 };
      await tx.agents.invite({ id: enrolmentId, targetId, macKeySealed, ...rest });
    });
    expect(await rewrapAll(under(during), TESTER)).toEqual({
      versions: 0,
      credentials: 0,
      agentKeys: 2,
      unreadable: [],
      left: 0,
      elsewhere: 0,
      ring: "local",
    });
    const key = await database().store.read.agents.key("bundle");
    expect(await after.open(key?.privateSealed ?? "", keyBound)).toBe("signs");
    const enrolment = await database().store.read.agents.findEnrolment("hash");
    expect(await after.open(enrolment?.macKeySealed ?? "", codeBound)).toBe("knows");
    await database().pool.query("truncate store_key");
  });

  it("the credentials of channels move too, and one that does not open is named", async () => {
    const bound = channelAssociatedData("ops", "there");
    const channel = { kind: "slack", config: {}, destination: "there" } as const;
    await database().store.transaction(async (tx) => {
      await tx.channels.save("ops", { ...channel, credentialsSealed: await before.seal("url", bound) });
      await tx.channels.save("worn", { ...channel, credentialsSealed: `lockstep.v1.${keyIdOf(OLD)}.y.z.w` });
    });
    expect(await rewrapAll(under(during), TESTER)).toEqual({
      versions: 0,
      credentials: 1,
      agentKeys: 0,
      unreadable: [{ kind: "channel", name: "worn" }],
      left: 1,
      elsewhere: 0,
      ring: "local",
    });
    const [ops] = await database().store.read.channels.all();
    expect(await after.open(ops?.credentialsSealed ?? "", bound)).toBe("url");
    await database().pool.query("truncate channel cascade");
  });

  it("a damaged text is named, holds no other back, and keeps the previous root key needed", async () => {
    const damaged = await set(1, "one");
    await set(2, "two");
    await database().pool.query("update secret_version set value_sealed = $2 where secret_id = $1", [
      damaged.secretId,
      `lockstep.v1.${keyIdOf(OLD)}.y.z.w`,
    ]);
    expect(await rewrapAll(under(during), TESTER)).toEqual({
      versions: 1,
      credentials: 0,
      agentKeys: 0,
      unreadable: [{ kind: "version", secretId: damaged.secretId, version: 1 }],
      left: 1,
      elsewhere: 0,
      ring: "local",
    });
    expect(await read(2, after)).toBe("two");
    const meta = await database().store.read.meta.read();
    expect(await before.open(meta?.keyCheck ?? "", keyCheckAssociatedData(STORE_ID))).toBe("check");
  });

  it("a death in the middle leaves every text readable, and the next run ends the work", async () => {
    await set(1, "one");
    await set(2, "two");
    let left = 1;
    const dying: Sealer = {
      ...during,
      rewrap: (sealed, associatedData, lowest) => {
        left -= 1;
        return left < 0 ? Promise.reject(new Error("died")) : during.rewrap(sealed, associatedData, lowest);
      },
    };
    await expect(rewrapAll(under(dying), TESTER)).rejects.toThrow();
    expect([await read(1, during), await read(2, during)]).toEqual(["one", "two"]);
    expect(await rewrapAll(under(during), TESTER)).toMatchObject({ versions: 2, unreadable: [] });
    expect([await read(1, after), await read(2, after)]).toEqual(["one", "two"]);
  });

  it("what was changed meanwhile is not overwritten", async () => {
    const { secretId } = await set(1, "one");
    const { store, pool } = database();
    const [text] = await store.read.sealedTexts.page(null, 1);
    const newer = await before.seal("newer", "row");
    await pool.query("update secret_version set value_sealed = $2 where secret_id = $1", [secretId, newer]);
    expect(text).toBeDefined();
    if (text === undefined) return;
    expect(await store.transaction((tx) => tx.sealedTexts.replace(text, "older"))).toBe(false);
    expect(await kit.rows("select value_sealed from secret_version")).toEqual([{ value_sealed: newer }]);
  });
});
