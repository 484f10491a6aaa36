/** A known store whose ring is away at the start: what opens it, what stays refused, and with which words. */
import { randomBytes } from "node:crypto";
import { beforeEach, expect, it, vi } from "vitest";
import { createLocalKeyRing } from "../../src/adapters/crypto/local-key-ring.ts";
import { keptElsewhere } from "../../src/adapters/crypto/ring-sources.ts";
import { openStoreKeys, type StoreKeys } from "../../src/adapters/crypto/store-keys.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";
import { SecretValue } from "../../src/core/secret-value.ts";
import { describeOnAStore } from "../support/database.ts";

const VALUE = SecretValue.of("v");
const KEY = randomBytes(32);

describeOnAStore("the keys of a store whose ring is away at the start", (database) => {
  let answers: "nothing" | "refusal" | "its key" | "another key";
  let asked: number;
  const told: (string | null)[] = [];
  let keys: StoreKeys | null = null;

  /** One whose key is kept elsewhere, which answers as the test says. */
  const ring = (): KeyRing => {
    const own = createLocalKeyRing(KEY);
    const held = (): KeyRing => {
      asked += 1;
      if (answers === "nothing") throw new LockstepError("KEY_RING_UNAVAILABLE", "The ring is away.");
      if (answers === "refusal") throw new LockstepError("KEY_RING_REFUSED", "The ring refuses.");
      return answers === "its key" ? own : createLocalKeyRing(randomBytes(32));
    };
    return {
      ...own,
      name: "elsewhere",
      rootKeyId: null,
      wrap: async (...given) => held().wrap(...given),
      unwrap: async (wrapped, keyId, associatedData) => {
        if (held() === own) return own.unwrap(wrapped, keyId, associatedData);
        throw new LockstepError("SEALED_UNREADABLE", "It does not open.");
      },
    };
  };
  const open = async () => {
    keys = await openStoreKeys(database().store, { wanted: keptElsewhere(ring()) }, (failure) =>
      told.push(failure?.code ?? null),
    );
    return keys;
  };

  beforeEach(async () => {
    keys?.close();
    await database().pool.query("truncate store_meta, environment cascade");
    told.length = 0;
    asked = 0;
    answers = "its key";
  });

  it("cannot be made: an empty store is not set up", async () => {
    answers = "nothing";
    await expect(open()).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    expect(await database().store.read.meta.read()).toBeNull();
  });

  it("come by themselves with it; until then nothing is sealed, opened or compared", async () => {
    const first = await open();
    const sealed = await first.sealer.seal("x", "row");
    const fingerprint = first.fingerprinter.fingerprint("s", VALUE);
    answers = "nothing";
    const { sealer, fingerprinter } = await open();
    expect(told).toEqual(["KEY_RING_UNAVAILABLE"]);
    for (const work of [
      () => sealer.seal("x", "row"),
      () => sealer.open(sealed, "row"),
      () => sealer.assertRingThere(),
      () => sealer.wantedKeyId(),
      async () => fingerprinter.fingerprint("s", VALUE),
    ])
      await expect(work()).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE" });

    answers = "its key";
    await vi.waitFor(() => expect(told).toEqual(["KEY_RING_UNAVAILABLE", null]), 10_000);
    expect(await sealer.open(sealed, "row")).toBe("x");
    expect(fingerprinter.fingerprint("s", VALUE)).toBe(fingerprint);
  });

  it("are not taken from a ring that came with another key", async () => {
    const first = await open();
    const sealed = await first.sealer.seal("x", "row");
    answers = "nothing";
    const { sealer } = await open();
    answers = "another key";
    await vi.waitFor(() => expect(told).toEqual(["KEY_RING_UNAVAILABLE", "ROOT_KEY_WRONG"]), 10_000);
    await expect(sealer.seal("x", "row")).rejects.toMatchObject({ code: "ROOT_KEY_WRONG" });
    answers = "its key";
    await vi.waitFor(async () => expect(await sealer.open(sealed, "row")).toBe("x"), 10_000);
  });

  it("ask it once for many who wait", async () => {
    await open();
    answers = "nothing";
    const locked = await open();
    await vi.waitFor(() => expect(asked).toBeGreaterThan(3), 10_000);
    const before = asked;
    for (let nth = 0; nth < 20; nth += 1)
      await expect(locked.sealer.open("x", "row")).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE" });
    expect(asked - before).toBeLessThan(2);
  });

  it("are refused at once where only a person can mend the ring", async () => {
    await open();
    answers = "refusal";
    await expect(open()).rejects.toMatchObject({ code: "KEY_RING_REFUSED" });
  });
});
