import { describe, expect, it } from "vitest";
import { formatOrder } from "../../../src/core/order.ts";
import { at, CANARY, failure, never, order, set, useRailway } from "./kit.ts";

describe("writing", () => {
  const kit = useRailway();
  it("sends one upsert of the changed names, no deployment, and leaves everything else alone", async () => {
    await kit.open().apply(set({ NEW: "n", OLD: "changed" }), order(7), never);
    expect(await kit.stored()).toEqual({
      KEPT: "theirs",
      OLD: "changed",
      NEW: "n",
      LOCKSTEP_REV: formatOrder(order(7)),
    });
    expect(await kit.railway.log.writes()).toHaveLength(1);
    expect(await kit.railway.log.deploys()).toHaveLength(0);
    expect((await kit.open().observe(at("OLD"), never)).orders).toEqual([order(7)]);
  });

  it("leaves no marker when it was turned off, and sends nothing for nothing", async () => {
    await kit.open({ marker: false }).apply(set({ NEW: "n" }), order(1), never);
    expect(Object.keys(await kit.stored())).not.toContain("LOCKSTEP_REV");
    expect(await kit.open().apply({ set: [], unset: [] }, order(2), never)).toEqual({ outcome: "unchanged" });
    expect(await kit.railway.log.writes()).toHaveLength(1);
  });

  it("deletes only the named keys; one that is gone already is fine", async () => {
    await kit.open().apply({ set: [], unset: at("OLD", "NEVER_THERE") }, order(1), never);
    expect(await kit.stored()).toEqual({ KEPT: "theirs" });
  });

  it("of the shared scope goes to the shared scope", async () => {
    await kit.open({ service: null }).apply(set({ TOKEN: "s" }), order(1), never);
    expect(await kit.railway.state.storedVariables({ service: null })).toMatchObject({ TOKEN: "s" });
    expect(await kit.stored()).not.toHaveProperty("TOKEN");
  });

  it.each([
    "line one\nline two",
    "quotes \" and '",
    "ünïcödé 🔑",
    " blanks ",
    "a.b.c=",
    "x".repeat(30_000),
    "",
  ])("gives %j back unchanged", async (value) => {
    const target = kit.open();
    await target.apply(set({ NEW: value }), order(1), never);
    const { keys } = await target.observe(at("NEW"), never);
    expect(keys[0]?.observed.state === "present" ? keys[0].observed.value.reveal() : null).toBe(value);
  });

  it.each([
    ["1ABC", "x", "KEY_INVALID"],
    ["WITH-DASH", "x", "KEY_INVALID"],
    ["RAILWAY_TOKEN", "x", "KEY_INVALID"],
    ["LOCKSTEP_REV", "x", "KEY_INVALID"],
    ["FINE", "a ${{shared.X}}", "VALUE_INVALID"],
  ])("refuses %s = %j before anything is sent", async (key, value, code) => {
    expect(await failure(kit.open().apply(set({ [key]: value }), order(1), never))).toMatchObject({ code });
    expect(await kit.railway.log.writes()).toHaveLength(0);
  });

  it("sends nothing once its time is over", async () => {
    expect(
      await failure(kit.open().apply(set({ NEW: CANARY }), order(1), AbortSignal.abort())),
    ).toMatchObject({
      code: expect.stringMatching(/UNREACHABLE|UNAVAILABLE/),
    });
    expect(await kit.railway.log.writes()).toHaveLength(0);
  });

  it("always skips deployments, never replaces, and names the service", async () => {
    await kit.open().apply(set({ NEW: "n" }), order(1), never);
    const [write] = await kit.railway.log.writes();
    expect(write?.fields).toMatchObject([
      {
        field: "variableCollectionUpsert",
        skipDeploys: true,
        replace: false,
        serviceIds: [kit.serviceId],
        set: ["NEW", "LOCKSTEP_REV"],
      },
    ]);
  });

  it("deletes several keys with one request, after the upsert", async () => {
    await kit.open().apply({ ...set({ NEW: "n" }), unset: at("OLD", "KEPT") }, order(1), never);
    expect((await kit.railway.log.writes()).map(({ operations }) => operations)).toEqual([
      ["variableCollectionUpsert"],
      ["variableDelete", "variableDelete"],
    ]);
    expect(Object.keys(await kit.stored()).sort()).toEqual(["LOCKSTEP_REV", "NEW"]);
  });

  it("goes on with the other deletions when one of many was gone already", async () => {
    const names = Array.from({ length: 60 }, (_, at) => `K${at}`);
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: Object.fromEntries(names.map((name) => [name, "x"])),
    });
    await kit.open().apply({ set: [], unset: at("GONE", ...names) }, order(1), never);
    expect(await kit.stored()).toEqual({ KEPT: "theirs", OLD: "old" });
  });

  it("is not believed when Railway says true and does nothing: reading back shows it", async () => {
    const target = kit.open();
    await kit.railway.faults.add({ kind: "ignored-write" });
    await target.apply(set({ NEW: CANARY }), order(1), never);
    expect((await target.observe(at("NEW"), never)).keys[0]?.observed.state).toBe("absent");
  });

  it("shows by reading back that an empty value was dropped", async () => {
    await kit.restart({ behaviour: { emptyStrings: "drop" } });
    const target = kit.open();
    await target.apply(set({ NEW: "" }), order(1), never);
    expect((await target.observe(at("NEW"), never)).keys[0]?.observed.state).toBe("absent");
  });

  it("keeps a sealed variable sealed", async () => {
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: { SEALED: { value: "x", sealed: true } },
    });
    const target = kit.open();
    await target.apply(set({ SEALED: CANARY }), order(1), never);
    expect((await target.observe(at("SEALED"), never)).keys[0]?.observed.state).toBe("unreadable");
    expect((await kit.stored())["SEALED"]).toBe(CANARY);
  });

  it.each(["RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "RAILWAY_RUN_UID"])(
    "may set Railway's setting %s",
    async (name) => {
      await kit.open().apply(set({ [name]: "5" }), order(1), never);
      expect(await kit.stored()).toMatchObject({ [name]: "5" });
    },
  );

  it("sends nothing more once its time is over between two requests", async () => {
    const controller = new AbortController();
    const target = kit.open({
      budget: {
        take: async (_key, _cost, purpose) => {
          if (purpose === "push" && (await kit.railway.log.writes()).length === 1) controller.abort();
        },
        report: async () => {},
      },
    });
    const change = { ...set({ NEW: "n" }), unset: at("OLD") };
    expect((await failure(target.apply(change, order(1), controller.signal))).code).toBe(
      "TARGET_UNREACHABLE",
    );
    expect(await kit.railway.log.writes()).toHaveLength(1);
    expect(await kit.stored()).toMatchObject({ NEW: "n", OLD: "old" });
  });

  it("shares one deadline among all its requests, so that none can land later than promised", async () => {
    const target = kit.open({ timeoutMs: 600 });
    await target.observe([], never);
    await kit.railway.faults.add({ kind: "slow", operation: "variableCollectionUpsert", holdMs: 400 });
    await kit.railway.faults.add({ kind: "slow", operation: "variableDelete" });
    const startedAt = performance.now();
    const change = { ...set({ NEW: "n" }), unset: at("OLD") };
    expect((await failure(target.apply(change, order(1), never))).code).toBe("TARGET_OUTCOME_UNKNOWN");
    expect(performance.now() - startedAt).toBeLessThan(900);
  });
});
