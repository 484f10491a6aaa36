/** Looks at many targets of one environment: the same answers as one by one, for a few requests in all. */
import { beforeEach, describe, expect, it } from "vitest";
import { railwayKind } from "../../../src/adapters/targets/railway/target.ts";
import { checkEveryMs } from "../../../src/app/drift/check-scheduled.ts";
import { createSharedReads } from "../../../src/app/observe/observe-together.ts";
import type { TargetObservation } from "../../../src/core/ports/target.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { at, failure, never, redeploy, set, unitOf, useRailway } from "./kit.ts";

describe("a whole environment", () => {
  const kit = useRailway();
  const KEYS = at("KEPT", "ABSENT", "SEALED", "REF", "TOKEN");
  let services: readonly (string | null)[];

  beforeEach(async () => {
    const { state } = kit.railway;
    await state.setVariables({
      service: kit.serviceId,
      variables: { SEALED: { value: "s", sealed: true }, REF: "${{shared.TOKEN}}" },
    });
    await state.setShared({ variables: { TOKEN: "t" } });
    const { serviceId: empty } = await state.addService({ name: "empty" });
    const { serviceId: other } = await state.addService({ name: "other", variables: { KEPT: "x" } });
    await state.stageChanges({
      patch: { services: { [other]: { variables: { KEPT: { value: "edited" } } } } },
    });
    services = [kit.serviceId, empty, other, null];
  });

  /** Values in the clear, to be compared. */
  const told = ({ keys, orders, units }: TargetObservation) => ({
    orders,
    units: units.map(({ key, name }) => ({ key, name })),
    keys: keys.map(({ observed, ...rest }) => ({
      ...rest,
      observed: observed.state === "present" ? observed.value.reveal() : observed,
    })),
  });

  it("shows of each target what a look at it alone shows", async () => {
    const sharedReads = createSharedReads(never);
    const purpose = "background" as const;
    for (const service of services) {
      const alone = await kit.open({ service, purpose }).observe(KEYS, never);
      const together = await kit.open({ service, purpose, sharedReads }).observe(KEYS, never);
      expect(told(together)).toEqual(told(alone));
    }
  });

  it("is read once for looks that began together, over all its pages, and anew for those that begin later", async () => {
    await kit.railway.log.clear();
    const look = async () => {
      const sharedReads = createSharedReads(never);
      await Promise.all(services.map((service) => kit.open({ service, sharedReads }).observe(KEYS, never)));
    };
    const reads = async () => (await kit.railway.log.requests({ operation: "ObserveEnvironment" })).length;
    await look();
    expect(await reads()).toBe(1);
    await look();
    expect(await reads()).toBe(2);
  });

  it("is not shared over tokens: what one may not read, another's look does not tell it", async () => {
    const sharedReads = createSharedReads(never);
    await kit.open({ sharedReads }).observe(KEYS, never);
    const stranger = kit.open({ sharedReads, token: "another-token", tokenKind: "project" });
    expect(await failure(stranger.observe(KEYS, never))).toMatchObject({
      code: "TARGET_CREDENTIAL_REJECTED",
    });
  });

  it("follows every page", async () => {
    await kit.restart({ behaviour: { maxPageSize: 2 } });
    for (const name of ["a", "b", "c"]) {
      await kit.railway.state.addService({
        name,
        variables: { MINE: "${{shared.TOKEN}}" },
      });
    }
    const names = "ABCDEF".split("");
    await kit.railway.state.setVariables({
      service: kit.serviceId,
      variables: Object.fromEntries(names.map((name) => [name, { value: "x", sealed: true }])),
    });
    const sharedReads = createSharedReads(never);
    const { keys } = await kit.open({ sharedReads }).observe(at(...names), never);
    expect(keys.map(({ observed }) => observed.state)).toEqual(names.map(() => "unreadable"));
    const { units } = await kit.open({ service: null, sharedReads }).observe(at("TOKEN"), never);
    expect(units.map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  it("says of a service that was deleted there that it is", async () => {
    const gone = kit.open({ sharedReads: createSharedReads(never) });
    await kit.railway.state.deleteService({ service: kit.serviceId });
    expect(await failure(gone.observe(KEYS, never))).toMatchObject({ code: "TARGET_MISSING" });
  });

  it("tells what runs without asking again for what cannot have changed", async () => {
    const target = kit.open();
    await redeploy(target);
    await kit.railway.state.idle();
    await target.apply(set({ KEPT: "ours" }), { storeId: "s", epoch: 1, generation: 1, digest: null }, never);
    const candidates = new Map([
      [1, SecretValue.of("theirs")],
      [2, SecretValue.of("ours")],
    ]);
    const look = async () => {
      await kit.railway.log.clear();
      const looking = kit.open({ sharedReads: createSharedReads(never), purpose: "background" });
      const { units } = await looking.observe(at("KEPT"), never);
      const answers = await looking.running?.observe(
        units.map((unit) => ({ unit, keys: [{ placement: "", key: "KEPT", candidates }] })),
        never,
      );
      const sent = (await kit.railway.log.requests({})).map(({ operationName }) => operationName);
      return { answers, sent };
    };
    const first = await look();
    expect(first.answers).toMatchObject([
      { state: "running", instances: [{ keys: [{ state: "version", version: 1 }] }] },
    ]);
    expect(first.sent).toEqual(["ObserveEnvironment", "Snapshot"]);
    expect(await look()).toMatchObject({ answers: first.answers, sent: ["ObserveEnvironment"] });
    // A rollout's gate asks anew, whatever was seen before.
    await kit.railway.log.clear();
    const { unit, activator } = await unitOf(target);
    await target.running?.observe([{ unit, keys: [{ placement: "", key: "KEPT", candidates }] }], never);
    expect((await kit.railway.log.requests({})).map(({ operationName }) => operationName)).toContain(
      "Snapshot",
    );
    await activator.activate(unit, never);
    await kit.railway.state.idle();
    const third = await look();
    expect(third.answers).toMatchObject([
      { state: "running", instances: [{ keys: [{ state: "version", version: 2 }] }] },
    ]);
    expect(third.sent).toEqual(["ObserveEnvironment", "Snapshot"]);
  });

  it("of 80 services with 25 variables each fits the smallest quota every five minutes", async () => {
    for (let index = 0; index < 80; index += 1) {
      await kit.railway.state.addService({
        name: `service-${index}`,
        variables: Object.fromEntries(Array.from({ length: 25 }, (_, at) => [`VARIABLE_${at}`, "x"])),
      });
    }
    await kit.railway.log.clear();
    const sharedReads = createSharedReads(never);
    await kit.open({ sharedReads }).observe(KEYS, never);
    const { requestsPerCheck = 0 } = railwayKind;
    // One of them asks what kind of token it is, once in a process's life.
    expect((await kit.railway.log.requests({})).length).toBeLessThanOrEqual(requestsPerCheck + 1);
    expect(checkEveryMs(railwayKind, 1)).toBe(300_000);
  });
});
