import { beforeAll, beforeEach, expect, it } from "vitest";
import { generateSecret, setSecret } from "../../../src/app/secrets/change-secret.ts";
import { destroyVersion } from "../../../src/app/secrets/destroy-version.ts";
import { listSecrets, listVersions, revealSecret } from "../../../src/app/secrets/read-secrets.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { describeOnAStore } from "../../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../../support/loop-kit.ts";

const NAME = { environment: "production", name: "AUTH" };

describeOnAStore("secrets by a person's hand", (database) => {
  let kit: LoopKit;
  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(() => kit.reset());
  const set = (value: string) => setSecret(kit.context, TESTER, NAME, { value: SecretValue.of(value) });

  it("setting creates the secret, and each value is a version; the newest is current", async () => {
    expect(await set("one")).toMatchObject({ version: 1, rolloutId: null });
    expect(await set("two")).toMatchObject({ version: 2, rolloutId: null });
    expect((await listVersions(kit.context, NAME)).map(({ version, state }) => [version, state])).toEqual([
      [2, "current"],
      [1, "retired"],
    ]);
    expect(await listSecrets(kit.context)).toMatchObject([{ versions: 2, current: { version: 2 } }]);
  });

  it("generating makes what the policy says", async () => {
    await set("by hand");
    await kit.rows(`update secret set policy = '{"generate": {"random": {"bytes": 20, "encoding": "hex"}}}'`);
    await generateSecret(kit.context, TESTER, NAME);
    const { fields } = await revealSecret(kit.context, TESTER, NAME);
    expect(fields.get("value")?.reveal()).toMatch(/^[0-9a-f]{40}$/);
  });

  it("revealing leaves an entry that is there before the value is", async () => {
    await set("seen");
    const blind = kit.other({
      sealer: { ...kit.context.sealer, open: () => Promise.reject(new Error("never opened")) },
    });
    await expect(revealSecret(blind, TESTER, NAME)).rejects.toThrow();
    expect(
      await kit.rows("select actor ->> 'name' as who from audit_entry where action = 'secret.revealed'"),
    ).toContainEqual({ who: "tester" });
    expect((await revealSecret(kit.context, TESTER, NAME)).fields.get("value")?.reveal()).toBe("seen");
  });

  it("a version is destroyed only when nothing needs it, and its value is gone from the store", async () => {
    await set("one");
    await set("two");
    await expect(destroyVersion(kit.context, TESTER, NAME, 2)).rejects.toMatchObject({
      code: "VERSION_IN_USE",
    });
    await expect(destroyVersion(kit.context, TESTER, NAME, 9)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await destroyVersion(kit.context, TESTER, NAME, 1);
    await destroyVersion(kit.context, TESTER, NAME, 1);
    expect(await kit.rows("select value_sealed from secret_version where version = 1")).toEqual([
      { value_sealed: null },
    ]);
    await expect(revealSecret(kit.context, TESTER, NAME, 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("a version in an open rollout is not destroyed", async () => {
    await set("one");
    await kit.target("api");
    await kit.bind(NAME.name, "api");
    await set("two");
    await expect(destroyVersion(kit.context, TESTER, NAME, 1)).rejects.toMatchObject({
      code: "VERSION_IN_USE",
    });
  });

  it("a version that a place still holds is not destroyed, and the place is named", async () => {
    await set("one");
    await kit.target("laptop");
    const binding = await kit.bind(NAME.name, "laptop");
    await set("two");
    await database().pool.query("update rollout set state = 'done'");
    await database().pool.query("update secret_version set state = 'retired' where version = 1");
    await database().pool.query("update secret_version set state = 'current' where version = 2");
    const settle = (settled: string) =>
      database().pool.query("update binding set settled = $1::jsonb where id = $2", [settled, binding]);
    const see = (version: number) =>
      database().pool.query(
        "insert into observation (binding_id, slot, found, version) values ($1, 'primary', 'version', $2)",
        [binding, version],
      );
    const refused = { code: "VERSION_IN_USE", message: expect.stringContaining('at "laptop"') };

    for (const settled of ['{"primary": 1}', '{"primary": 2, "fallback": 1}']) {
      await settle(settled);
      await expect(destroyVersion(kit.context, TESTER, NAME, 1)).rejects.toMatchObject(refused);
    }
    await settle('{"primary": 2, "fallback": null}');
    await see(1);
    await expect(destroyVersion(kit.context, TESTER, NAME, 1)).rejects.toMatchObject(refused);
    await see(2);
    await destroyVersion(kit.context, TESTER, NAME, 1);
  });

  it.each([
    ["an empty value", NAME, ""],
    ["a NUL", NAME, "a\u0000b"],
    ["a lone surrogate", NAME, "a\ud800"],
    ["a value beyond the limit", NAME, "x".repeat(65_537)],
    ["a name in small letters", { ...NAME, name: "auth" }, "x"],
    ["a name with a blank", { ...NAME, name: "A B" }, "x"],
    ["an environment with a slash", { ...NAME, environment: "a/b" }, "x"],
  ])("%s is refused, and nothing is written", async (_what, name, value) => {
    const error = await setSecret(kit.context, TESTER, name, { value: SecretValue.of(value) }).catch(
      (failure: unknown) => failure,
    );
    expect(error).toMatchObject({ code: expect.stringMatching(/^(INPUT|VALUE)_INVALID$/) });
    expect(await kit.rows("select 1 from secret")).toEqual([]);
  });
});
