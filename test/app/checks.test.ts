/** Looks by schedule: one at a time, what they find on record, and healed only where the configuration says so. */
import { sql } from "kysely";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { checkScheduled } from "../../src/app/checks/check-scheduled.ts";
import { describeOnEachStore } from "../support/database.ts";
import { createLoopKit, type LoopKit, TESTER } from "../support/loop-kit.ts";
import { type ScriptedPlace, scriptedPlace } from "../support/scripted-target.ts";

const never = new AbortController().signal;

describeOnEachStore("checks by schedule", (database) => {
  let kit: LoopKit;
  let place: ScriptedPlace;
  let id: string;

  const check = () => checkScheduled(kit.other(), id, never);
  const due = () => kit.context.store.read.checks.due(10);
  const itIsTime = () => sql`update target set next_check_at = now()`.execute(database().db);
  const found = async () =>
    (await kit.context.store.read.views.bindings({})).map((row) => [row.found, row.foundVersion]);
  const heals = async () =>
    (
      await kit.rows<{ actor: { id: string } }>(
        `select actor from audit_entry where action = 'target.healed' and subject_id = '${id}'`,
      )
    ).map(({ actor }) => actor.id);
  const healing = (key: string) =>
    sql`update binding set drift = 'heal' where key = ${key}`.execute(database().db);

  beforeAll(() => {
    kit = createLoopKit(database());
  });
  beforeEach(async () => {
    await kit.reset();
    place = scriptedPlace(await kit.target("api"));
    [id = ""] = await kit.targetIds("api");
    for (const [name, value] of [
      ["AUTH", "good"],
      ["OTHER", "fine"],
    ] as const) {
      await kit.secret(name);
      await kit.bind(name, "api");
      await kit.set(name, value);
    }
    await kit.drain();
  });

  it("what stands there is on record, and the next look is due later", async () => {
    expect(await due()).toEqual([id]);
    place.values.set("AUTH", "by hand");
    await check();
    expect(await found()).toContainEqual(["unknown", null]);
    expect(await due()).toEqual([]);
    const looks = place.observes;
    await check();
    expect(place.observes).toBe(looks);
    expect(await heals()).toEqual([]);
  });

  it("of workers that race, one looks", async () => {
    const looks = place.observes;
    await Promise.all(Array.from({ length: 8 }, check));
    expect(place.observes).toBe(looks + 1);
  });

  it("where something is owed, the loop looks anyway", async () => {
    await kit.context.store.transaction((tx) => tx.targets.bumpGenerations([id], TESTER));
    expect(await due()).toEqual([]);
  });

  it("what cannot be read is on record with its reason, until it can", async () => {
    place.unreadable = true;
    await check();
    expect((await found()).map(([state]) => state)).toEqual(["unreadable", "unreadable"]);
    place.unreadable = false;
    await itIsTime();
    await check();
    expect((await found()).map(([state]) => state)).toEqual(["version", "version"]);
  });

  it("drift is healed where that is said, and a second writer is not fought", async () => {
    await healing("AUTH");
    for (const expected of [1, 2]) {
      place.values.set("AUTH", "by another program");
      await itIsTime();
      await check();
      await kit.drain();
      expect(place.values.get("AUTH")).toBe("good");
      expect(await heals()).toHaveLength(expected);
    }
    place.values.set("AUTH", "by another program");
    await itIsTime();
    await check();
    await kit.drain();
    expect(place.values.get("AUTH")).toBe("by another program");
    expect(await heals()).toEqual(["healing", "healing"]);
  });

  it("where not all that differs is to be healed, a person decides", async () => {
    await healing("AUTH");
    place.values.set("AUTH", "by hand");
    place.values.set("OTHER", "by hand too");
    await check();
    await kit.drain();
    expect(place.values.get("AUTH")).toBe("by hand");
    expect(await heals()).toEqual([]);
  });
});
