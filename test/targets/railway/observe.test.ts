import { describe, expect, it } from "vitest";
import { at, CANARY, failure, never, useRailway } from "./kit.ts";

describe("reading", () => {
  const kit = useRailway();
  it("gives what is stored for the asked keys only, in their order", async () => {
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: { SEALED: { value: CANARY, sealed: true }, REF: "${{shared.X}}", EMPTY: "" },
    });
    const { keys, orders: found } = await kit
      .open()
      .observe(at("KEPT", "ABSENT", "SEALED", "REF", "EMPTY"), never);
    expect(keys.map(({ observed }) => observed.state)).toEqual([
      "present",
      "absent",
      "unreadable",
      "reference",
      "present",
    ]);
    expect(keys[0]?.observed).toMatchObject({ value: expect.objectContaining({}) });
    expect(JSON.stringify(keys)).not.toContain("theirs");
    expect(found).toEqual([]);
  });

  it("names a staged change that would override ours", async () => {
    await kit.railway.state.stageChanges({
      patch: { services: { [kit.serviceId]: { variables: { KEPT: { value: "edited" } } } } },
    });
    const { keys } = await kit.open().observe(at("KEPT", "OLD"), never);
    expect(keys.map(({ pendingManualChange }) => pendingManualChange ?? false)).toEqual([true, false]);
  });

  it("of the shared scope names the services that refer to a key as its units", async () => {
    await kit.railway.state.setShared({ variables: { TOKEN: "x" } });
    await kit.railway.state.addService({ name: "uses", variables: { MINE: "a-${{ shared.TOKEN }}" } });
    await kit.railway.state.addService({ name: "does-not", variables: { MINE: "${{shared.OTHER}}" } });
    const { units, keys } = await kit.open({ service: null }).observe(at("TOKEN"), never);
    expect(units.map(({ name }) => name)).toEqual(["uses"]);
    expect(keys[0]?.observed.state).toBe("present");
  });

  it("of a service names the services that take a key from it, over any steps, in one request", async () => {
    const { railway } = kit;
    await railway.state.addService({ name: "my web", variables: { MINE: "Bearer ${{api.KEPT}}" } });
    await railway.state.addService({ name: "far", variables: { MINE: '${{"my web".MINE}}' } });
    await railway.state.addService({ name: "does-not", variables: { MINE: "${{api.OLD}} ${{KEPT}}" } });
    const { environmentId } = await railway.state.addEnvironment({ name: "other" });
    await railway.state.addService({
      name: "elsewhere",
      environmentId,
      variables: { A: "${{api.KEPT}}" },
    });
    const { units, users = [] } = await kit.open().observe(at("KEPT", "KEPT_FALLBACK"), never);
    expect(units.map(({ name }) => name)).toEqual(["api"]);
    expect(users.map(({ name, keys }) => [name, keys])).toEqual([
      ["my web", ["KEPT"]],
      ["far", ["KEPT"]],
    ]);
    const allowed = await kit.open({ redeployReferring: true }).observe(at("KEPT"), never);
    expect(allowed.units.map(({ name }) => name)).toEqual(["api", "my web", "far"]);
    expect((await kit.open().observe(at("ABSENT"), never)).users).toBeUndefined();
  });

  it("follows every page of a long list", async () => {
    await kit.restart({ behaviour: { maxPageSize: 2 } });
    const names = "ABCDEF".split("");
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: Object.fromEntries(names.map((name) => [name, { value: "x", sealed: true }])),
    });
    const { keys } = await kit.open().observe(at(...names), never);
    expect(keys.every(({ observed }) => observed.state === "unreadable")).toBe(true);
  });

  it("finds services that refer to a shared key behind the first page", async () => {
    await kit.restart({ behaviour: { maxPageSize: 2 } });
    await kit.railway.state.setShared({ variables: { TOKEN: "x" } });
    for (const name of ["a", "b", "c", "d"])
      await kit.railway.state.addService({ name, variables: { MINE: "${{shared.TOKEN}}" } });
    const { units } = await kit.open({ service: null }).observe(at("TOKEN"), never);
    expect(units.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
  });

  it("says since when a sealed key is as it is", async () => {
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: { SEALED: { value: CANARY, sealed: true } },
    });
    const { keys } = await kit.open().observe(at("SEALED"), never);
    expect(keys[0]?.observed).toMatchObject({
      state: "unreadable",
      changedAt: expect.stringMatching(/^\d{4}-/),
    });
  });

  it("never lets another store's or a broken marker pass for ours", async () => {
    await kit.railway.state.setVariables({ service: kit.serviceId, variables: { LOCKSTEP_REV: "nonsense" } });
    expect((await kit.open().observe([], never)).orders).toEqual([]);
  });

  it("shows an older state for a moment, as Railway may; the caller looks again", async () => {
    const target = kit.open();
    await kit.railway.state.setVariables({ service: kit.serviceId, variables: { KEPT: "newer" } });
    await kit.railway.faults.add({ kind: "stale-read", operation: "variables" });
    const [stale, fresh] = [await target.observe(at("KEPT"), never), await target.observe(at("KEPT"), never)];
    const value = ({ keys }: typeof stale) =>
      keys[0]?.observed.state === "present" ? keys[0].observed.value.reveal() : null;
    expect([value(stale), value(fresh)]).toEqual(["theirs", "newer"]);
  });

  it("of a service that was deleted, or is in another environment, is an error and never an empty place", async () => {
    const { serviceId: gone } = await kit.railway.state.addService({ name: "gone" });
    await kit.railway.state.deleteService({ service: gone });
    expect((await failure(kit.open({ service: gone }).observe(at("KEPT"), never))).code).toBe(
      "TARGET_MISSING",
    );
    const { environmentId } = await kit.railway.state.addEnvironment({ name: "other" });
    const elsewhere = kit.open({ environment: environmentId, token: kit.railway.defaults.accountToken });
    expect((await failure(elsewhere.observe(at("KEPT"), never))).code).toBe("TARGET_MISSING");
  });

  it("of half an answer is an error, not an absence", async () => {
    await kit.railway.faults.add({ kind: "partial-data", operation: "variables", paths: ["variables"] });
    expect((await failure(kit.open().observe(at("KEPT"), never))).verdict).toBe("later");
  });
});
