import { expect, it } from "vitest";
import { assertAdopted } from "../../../src/app/config/adoption.ts";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { importSecret } from "../../../src/app/config/import-secret.ts";
import { planConfig } from "../../../src/app/config/plan-config.ts";
import { generateSecret, setSecret } from "../../../src/app/secrets/change-secret.ts";
import type { Choice } from "../../../src/core/adoption/group-places.ts";
import { LockstepError } from "../../../src/core/errors.ts";
import type { Job } from "../../../src/core/ports/queue.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnAStore("adopting what is in use", (getDatabase) => {
  const kit = useConfigKit(getDatabase);

  const name = { environment: "production", name: "A" };
  const config = () =>
    kit.config({
      secrets: {
        A: [
          { target: "api", role: "verifier" },
          { target: "vps", role: "caller" },
          { target: "worker", role: "caller", template: "Bearer {{value}}" },
          { target: "fresh", role: "caller" },
        ],
      },
      targets: { api: {}, vps: {}, worker: {}, fresh: {} },
    });
  const hold = (values: Readonly<Record<string, string>>) => {
    for (const [place, value] of Object.entries(values)) kit.place(place).values.set("A", value);
  };
  const take = (from: Choice) => importSecret(kit.context, TESTER, { ...name, from });
  const settle = () => kit.loop.drain(kit.context);

  it("shows places in groups of equal values, with counts and roles, and without values", async () => {
    hold({ api: "in use", vps: "stale", worker: "Bearer in use" });
    const plan = await planConfig(kit.context, TESTER, { config: config(), askNew: true });
    expect(plan.adoption).toEqual([
      {
        environment: "production",
        secret: "A",
        groups: [
          {
            label: "A",
            places: [
              { target: "api", key: "A", role: "verifier" },
              { target: "worker", key: "A", role: "caller" },
            ],
          },
          { label: "B", places: [{ target: "vps", key: "A", role: "caller" }] },
        ],
        next: "lockstep import A --from TARGET",
      },
    ]);
    expect(plan.places.map(({ target, place }) => [target, place.state])).toEqual([
      ["api", "value"],
      ["vps", "value"],
      ["worker", "value"],
      ["fresh", "absent"],
    ]);
    expect(JSON.stringify(plan)).not.toMatch(/in use|stale/);
  });

  it("lets nothing win by default when places disagree", async () => {
    hold({ api: "in use", vps: "stale" });
    await applyConfig(kit.context, TESTER, { config: config() });
    await expect(take({ by: "agreement" })).rejects.toMatchObject({ code: "NOT_ADOPTED" });
    await expect(take({ by: "majority" })).rejects.toMatchObject({ code: "NOT_ADOPTED" });
    const made = { value: SecretValue.of("made elsewhere") };
    const refused = { code: "NOT_ADOPTED" };
    await expect(setSecret(kit.context, TESTER, name, made)).rejects.toMatchObject(refused);
    await expect(generateSecret(kit.context, TESTER, name)).rejects.toMatchObject(refused);
    expect(await kit.loop.rows("select 1 from secret_version")).toEqual([]);
  });

  it("has nothing to overwrite with before a value was chosen", async () => {
    hold({ api: "in use" });
    kit.place("vps").unreadable = true;
    await applyConfig(kit.context, TESTER, { config: config() });
    const plan = await planConfig(kit.context, TESTER, { config: config(), takeOver: "all" });
    expect(plan.places.map(({ place }) => place.state)).toEqual(["value", "unreadable", "absent", "absent"]);
    expect(plan.hasChanges).toBe(false);
  });

  it("adopts equal places without a write, and repairs the others from the chosen one", async () => {
    hold({ api: "in use", vps: "stale", worker: "Bearer in use" });
    await applyConfig(kit.context, TESTER, { config: config() });
    const imported = await take({ by: "target", target: "api", environment: "production" });
    expect(imported.adopted.map(({ target }) => target)).toEqual(["api", "worker"]);
    expect(imported.corrected.map(({ target }) => target)).toEqual(["vps", "fresh"]);
    await settle();
    expect(kit.place("api").writes).toEqual([]);
    expect(kit.place("worker").writes).toEqual([]);
    expect(kit.place("vps").values.get("A")).toBe("in use");
    expect(kit.place("fresh").values.get("A")).toBe("in use");
    // The loser is an older version, so it is recognised wherever it turns up again.
    expect(await kit.loop.rows("select version, state from secret_version order by version")).toEqual([
      { version: 1, state: "retired" },
      { version: 2, state: "current" },
    ]);
    kit.place("vps").values.set("A", "stale");
    const plan = await planConfig(kit.context, TESTER, { config: config() });
    expect(plan.hasChanges).toBe(false);
    expect(plan.places.find(({ target }) => target === "vps")?.place).toEqual({
      state: "drifted",
      now: "older",
    });
  });

  it("promises no write of a version that is compromised", async () => {
    hold({ api: "in use", vps: "stale" });
    await applyConfig(kit.context, TESTER, { config: config() });
    await take({ by: "target", target: "api", environment: "production" });
    await kit.loop.rows("update secret_version set compromised_at = now() where state = 'current'");
    const plan = await planConfig(kit.context, TESTER, { config: config() });
    expect(plan.places.find(({ target }) => target === "vps")).toMatchObject({
      place: { state: "cannot-hold", code: "VERSION_COMPROMISED" },
      overwritten: false,
    });
  });

  it("takes what most places hold when told, unless what cannot be read could be more", async () => {
    hold({ api: "in use", vps: "stale", worker: "Bearer in use" });
    await applyConfig(kit.context, TESTER, { config: config() });
    kit.away.add("fresh");
    await expect(take({ by: "majority" })).rejects.toMatchObject({ code: "NOT_ADOPTED" });
    kit.away.clear();
    await take({ by: "majority" });
    await settle();
    expect(kit.place("vps").values.get("A")).toBe("in use");
  });

  it("adopts by agreement when every place holds the same", async () => {
    hold({ api: "in use", worker: "Bearer in use" });
    await applyConfig(kit.context, TESTER, { config: config() });
    const imported = await take({ by: "agreement" });
    expect(imported.version).toBe(1);
    await expect(assertAdopted(kit.context, name)).resolves.toBeUndefined();
  });

  it("does not bring what cannot be seen everywhere, unless told", async () => {
    for (const [value, what] of [
      ["\uFEFFin use", "begins with a byte order mark"],
      ["in use\u200b", "ends with a character that cannot be seen (U+200B)"],
      ["in use\r", "ends with a carriage return"],
    ] as const) {
      await kit.loop.reset();
      hold({ api: value });
      await applyConfig(kit.context, TESTER, { config: config() });
      const refused = take({ by: "agreement" });
      await expect(refused).rejects.toMatchObject({ code: "VALUE_INVALID" });
      await expect(refused).rejects.toThrow(`the value at api ${what}`);
      expect(await kit.loop.rows("select 1 from secret_version")).toEqual([]);
      await importSecret(kit.context, TESTER, { ...name, from: { by: "agreement" }, exact: true });
      await settle();
      expect(kit.place("fresh").values.get("A")).toBe(value);
      for (const place of ["api", "vps", "worker", "fresh"]) kit.place(place).values.clear();
    }
  });

  it("changes nothing when it is repeated", async () => {
    hold({ api: "in use", vps: "stale" });
    await applyConfig(kit.context, TESTER, { config: config() });
    const from = { by: "target", target: "api", environment: "production" } as const;
    await take(from);
    await settle();
    expect(await take(from)).toMatchObject({ version: 2, rolloutId: null });
    await settle();
    expect(kit.place("vps").writes).toHaveLength(1);
    expect(await kit.loop.rows("select 1 from secret_version")).toHaveLength(2);
  });

  it("names why a chosen place cannot be imported from", async () => {
    await applyConfig(kit.context, TESTER, { config: config() });
    const from = (target: string) => take({ by: "target", target, environment: "production" });
    await expect(from("api")).rejects.toMatchObject({
      message: expect.stringContaining("it holds no value"),
    });
    await expect(from("nowhere")).rejects.toMatchObject({
      message: expect.stringContaining("not bound there"),
    });
    kit.away.add("api");
    await expect(from("api")).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      message: "Cannot import A. no answer from the place",
    });
    await expect(take({ by: "agreement" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("does not take a key ring that is away for places without a value", async () => {
    hold({ api: "in use" });
    const applied = kit.config({
      secrets: { A: [{ target: "api", role: "caller" }] },
      targets: { api: { token: "sealed" } },
    });
    await applyConfig(kit.context, TESTER, { config: applied });
    const away = new LockstepError("KEY_RING_UNAVAILABLE", "it is sealed");
    const sealer = { ...kit.context.sealer, open: () => Promise.reject(away) };
    for (const from of [
      { by: "target", target: "api", environment: "production" },
      { by: "agreement" },
      { by: "majority" },
    ] as const)
      await expect(
        importSecret({ ...kit.context, sealer }, TESTER, { ...name, from }),
        from.by,
      ).rejects.toMatchObject({ code: "KEY_RING_UNAVAILABLE", hint: expect.stringContaining("unsealed") });
  });

  it("has what its rollout needs to see looked at, and not only what it writes", async () => {
    hold({ api: "in use", vps: "in use", worker: "Bearer in use", fresh: "in use" });
    await applyConfig(kit.context, TESTER, { config: config() });
    await take({ by: "agreement" });
    await settle();
    // Callers move at once where an issuer makes the values; verifiers are watched meanwhile.
    await kit.loop.rows(`update secret set policy = '{"issue":{"http":{}}}' where name = 'A'`);
    await kit.loop.rows("update binding set looked_at = now() - interval '1 hour'");
    hold({ vps: "newer" });
    const enqueued: Job[] = [];
    const queue = {
      ...kit.context.queue,
      enqueue: async (jobs: readonly Job[]) => void enqueued.push(...jobs),
    };
    const from = { by: "target", target: "vps", environment: "production" } as const;
    await importSecret({ ...kit.context, queue }, TESTER, { ...name, from });
    expect(enqueued.map((job) => job.name)).toContain("look");
  });
});
