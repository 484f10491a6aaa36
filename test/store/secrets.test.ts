import fc from "fast-check";
import { expect, test } from "vitest";
import type { LockstepError } from "../../src/core/errors.ts";
import { mayMove, VERSION_STATES, type VersionState } from "../../src/core/secret.ts";
import type { NewVersion } from "../../src/core/store/secrets.ts";
import { describeOnEachStore, somebodyWaitsForLock } from "../support/database.ts";

describeOnEachStore("secrets and their versions", (getDatabase) => {
  let number = 0;
  const newSecret = async (): Promise<string> => {
    number += 1;
    const name = `SECRET_${number}`;
    return getDatabase().store.transaction(async ({ secrets }) => {
      const { id: environmentId } = await secrets.ensureEnvironment("production");
      return (await secrets.create({ environmentId, name, policy: {} })).id;
    });
  };
  const addVersion = (secretId: string, state: NewVersion["state"]): Promise<number> =>
    getDatabase().store.transaction(async ({ secrets }) => {
      const version = await secrets.lockForNewVersion(secretId);
      await secrets.addVersion({
        secretId,
        version,
        state,
        value: { kind: "sealed", sealed: `sealed-${version}` },
        fingerprint: `print-${version}`,
        createdBy: "test",
      });
      return version;
    });
  const move = (secretId: string, version: number, to: VersionState): Promise<void> =>
    getDatabase().store.transaction(({ secrets }) => secrets.moveVersion(secretId, version, to));
  const statesOf = async (secretId: string): Promise<Map<number, VersionState>> => {
    const versions = await getDatabase().store.read.secrets.versions(secretId);
    return new Map(versions.map(({ version, state }) => [version, state]));
  };

  test("a fingerprint names the version whose secret it was taken for, newest first, and none that is destroyed", async () => {
    const [one, two] = [await newSecret(), await newSecret()];
    for (const secretId of [one, two]) {
      await addVersion(secretId, "retired");
      await addVersion(secretId, "current");
    }
    const named = (...pairs: [string, string][]) =>
      getDatabase().store.read.secrets.versionsWithFingerprint(new Map(pairs));
    expect(await named([one, "print-2"], [two, "print-1"])).toEqual([
      { secretId: one, version: 2 },
      { secretId: two, version: 1 },
    ]);
    expect(await named([one, "print-9"])).toEqual([]);
    expect(await named()).toEqual([]);
    await move(two, 1, "destroyed");
    expect(await named([two, "print-1"])).toEqual([]);
  });

  test("any walk of moves ends where mayMove leads, with at most one current and one staged version", async () => {
    const steps = fc.array(
      fc.record({ version: fc.integer({ min: 1, max: 3 }), to: fc.constantFrom(...VERSION_STATES) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (walk) => {
        const secretId = await newSecret();
        await addVersion(secretId, "current");
        await addVersion(secretId, "retired");
        await addVersion(secretId, "staged");
        const model = new Map<number, VersionState>([
          [1, "current"],
          [2, "retired"],
          [3, "staged"],
        ]);
        for (const { version, to } of walk) {
          const from = model.get(version) ?? "destroyed";
          const others = [...model].filter(([other]) => other !== version).map(([, state]) => state);
          const allowed = mayMove(from, to) && !(to === "current" && others.includes("current"));
          const outcome = await move(secretId, version, to).then(
            () => "moved",
            (error: LockstepError) => error.code,
          );
          expect(outcome).toBe(allowed ? "moved" : "VERSION_STATE");
          if (allowed) model.set(version, to);
        }
        expect(await statesOf(secretId)).toEqual(new Map([...model].reverse()));
        for (const [version, state] of model) {
          const placed = await getDatabase().store.read.valuePlaces.of(secretId, version);
          expect(placed?.stored ?? null).toEqual(
            state === "destroyed" ? null : { kind: "sealed", sealed: `sealed-${version}` },
          );
        }
      }),
      { numRuns: 25 },
    );
  });

  test("numbers of new versions are given out one transaction after the other", async () => {
    const secretId = await newSecret();
    const versions = await Promise.all(Array.from({ length: 8 }, () => addVersion(secretId, "retired")));
    expect(versions.sort((left, right) => left - right)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("the lock for a new version holds until its transaction ends", async () => {
    const secretId = await newSecret();
    const order: string[] = [];
    let release: () => void = () => undefined;
    let entered: () => void = () => undefined;
    const isInside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const mayLeave = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = getDatabase().store.transaction(async ({ secrets }) => {
      await secrets.lockForNewVersion(secretId);
      entered();
      await mayLeave;
      order.push("first");
    });
    await isInside;
    const second = getDatabase().store.transaction(async ({ secrets }) => {
      await secrets.lockForNewVersion(secretId);
      order.push("second");
    });
    try {
      await somebodyWaitsForLock(getDatabase());
    } finally {
      release();
      await Promise.all([first, second]);
    }
    expect(order).toEqual(["first", "second"]);
  });

  test("of two versions that become current at once, one does", async () => {
    const secretId = await newSecret();
    for (const state of ["retired", "retired", "retired", "retired"] as const)
      await addVersion(secretId, state);
    const moves = await Promise.allSettled([1, 2, 3, 4].map((version) => move(secretId, version, "current")));
    const refusals = moves.filter((each) => each.status === "rejected").map((each) => each.reason.code);
    expect(refusals).toEqual(["VERSION_STATE", "VERSION_STATE", "VERSION_STATE"]);
  });

  test("a second current version is refused", async () => {
    const secretId = await newSecret();
    await addVersion(secretId, "current");
    await expect(addVersion(secretId, "current")).rejects.toMatchObject({ code: "VERSION_STATE" });
    const staged = await addVersion(secretId, "staged");
    await expect(move(secretId, staged, "current")).rejects.toMatchObject({ code: "VERSION_STATE" });
    await move(secretId, 1, "retiring");
    await move(secretId, staged, "current");
    await expect(move(secretId, 1, "current")).rejects.toMatchObject({ code: "VERSION_STATE" });
    expect([...(await statesOf(secretId)).values()]).toEqual(["current", "retiring"]);
  });

  test("what does not exist is said to be missing", async () => {
    const { store } = getDatabase();
    const nobody = "00000000-0000-4000-8000-000000000000";
    await expect(store.transaction(({ secrets }) => secrets.lockForNewVersion(nobody))).rejects.toMatchObject(
      {
        code: "NOT_FOUND",
      },
    );
    await expect(move(nobody, 1, "retired")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(store.transaction(({ secrets }) => secrets.setPolicy(nobody, {}))).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    expect(await store.read.secrets.find("production", "NEVER_MADE")).toBeNull();
    expect(await store.read.secrets.findById(nobody)).toBeNull();
    expect(await store.read.valuePlaces.of(nobody, 1)).toBeNull();
  });

  test("names are unique in an environment, and lists follow environment and name", async () => {
    const { store } = getDatabase();
    await store.transaction(async ({ secrets }) => {
      const staging = await secrets.ensureEnvironment("staging");
      const again = await secrets.ensureEnvironment("staging");
      expect(again).toEqual({ id: staging.id, created: false });
      for (const name of ["ZULU", "ALPHA"]) {
        await secrets.create({ environmentId: staging.id, name, policy: { rotate: { every: "30d" } } });
      }
    });
    const staging = await store.read.secrets.findEnvironment("staging");
    await expect(
      store.transaction(({ secrets }) =>
        secrets.create({ environmentId: staging?.id ?? "", name: "ALPHA", policy: {} }),
      ),
    ).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    const list = await store.read.secrets.list("staging");
    expect(list.map(({ name }) => name)).toEqual(["ALPHA", "ZULU"]);
    expect(list[0]).toMatchObject({
      environment: "staging",
      policy: { rotate: { everyMs: 30 * 86_400_000 } },
    });
  });

  test("resealing keeps the version, destroying drops its value for good, the first compromise mark stays", async () => {
    const secretId = await newSecret();
    const version = await addVersion(secretId, "retired");
    const { store } = getDatabase();
    await store.transaction(({ secrets }) => secrets.replaceSealedValue(secretId, version, "sealed-anew"));
    expect(await store.read.valuePlaces.of(secretId, version)).toMatchObject({
      stored: { sealed: "sealed-anew" },
    });
    await store.transaction(({ secrets }) => secrets.markCompromised(secretId, version));
    const [marked] = await store.read.secrets.versions(secretId);
    await store.transaction(({ secrets }) => secrets.markCompromised(secretId, version));
    await move(secretId, version, "destroyed");
    const [destroyed] = await store.read.secrets.versions(secretId);
    expect(destroyed).toMatchObject({ state: "destroyed", compromisedAt: marked?.compromisedAt });
    await expect(
      store.transaction(({ secrets }) => secrets.replaceSealedValue(secretId, version, "back")),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});
