import { expect, it } from "vitest";
import { applyConfig } from "../../../src/app/config/apply-config.ts";
import { healPlaces } from "../../../src/app/drift/heal-places.ts";
import { introduceVersion } from "../../../src/app/versions/introduce-version.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";
import { useConfigKit } from "../../support/config-kit.ts";
import { describeOnAStore } from "../../support/database.ts";
import { TESTER } from "../../support/loop-kit.ts";

describeOnAStore("a unit that is configured no more", (getDatabase) => {
  const kit = useConfigKit(getDatabase);

  const apply = (unit: string, targets: readonly string[] = ["one"]) =>
    applyConfig(kit.context, TESTER, {
      config: kit.config({
        secrets: { A: targets.map((target) => ({ target, role: "both" })) },
        targets: Object.fromEntries(targets.map((target) => [target, { unit: `${unit}-${target}` }])),
      }),
      allowShrink: true,
      duringRollout: true,
    });
  const set = (value: string) =>
    introduceVersion(kit.context, TESTER, {
      environment: "production",
      name: "A",
      fields: { value: SecretValue.of(value) },
    });
  const settle = () => kit.loop.drain(kit.context);
  const activations = () =>
    kit.loop.rows<{ unit: string; state: string }>(
      "select split_part(u.name, '-', 1) as unit, a.state from activation a join unit u on u.id = a.unit_id order by a.created_at, u.name",
    );
  const rollouts = () => kit.loop.rows<{ state: string }>("select state from rollout order by started_at");

  it("owes nothing any more, and what it had not finished is the new unit's", async () => {
    await apply("old");
    const place = kit.place("one");
    place.nextActivations.push("fail", "fail");
    await set("first");
    await settle();
    expect(await activations()).toEqual([{ unit: "old", state: "blocked" }]);
    expect(await rollouts()).toEqual([{ state: "stalled" }]);

    await apply("new");
    expect(await activations()).toEqual([
      { unit: "old", state: "superseded" },
      { unit: "new", state: "owed" },
    ]);
    await settle();
    expect(place.running.get("A")).toBe("first");
    await kit.loop.hurry();
    await settle();
    expect(await rollouts()).toEqual([{ state: "done" }]);
    expect(await kit.loop.rows("select from audit_entry where action = 'unit.retired'")).toHaveLength(1);
  });

  it("what an earlier release left owed ends by the repair that doctor prints", async () => {
    await apply("new");
    await set("first");
    await settle();
    await kit.loop.rows(`
      with gone as (insert into unit (key, name, kind, config, follow_group)
        values ('memory:gone', 'gone', 'memory', '{}', 'memory:gone') returning id),
      linked as (insert into target_unit (target_id, unit_id) select t.id, gone.id from target t, gone)
      insert into activation (unit_id, target_id, state, digest) select gone.id, t.id, 'owed', 'x' from target t, gone`);
    await kit.loop.rows("update activation set lease_until = now() + interval '1 hour' where state = 'owed'");
    await healPlaces(kit.context, TESTER, { target: "one" });
    await settle();
    const open = (await activations()).filter(({ state }) => state === "owed" || state === "requested");
    expect(open).toEqual([]);
  });

  it("a removed target ends what its unit had under way", async () => {
    await apply("old", ["one", "two"]);
    await set("first");
    await settle();
    const [row] = await kit.loop.rows<{ id: string }>(
      "update activation a set state = 'requested', ended_at = null from target t where t.id = a.target_id and t.name = 'two' returning a.id",
    );
    expect(row).toBeDefined();
    await apply("old", ["one"]);
    expect(await kit.loop.rows(`select state from activation where id = '${row?.id}'`)).toEqual([
      { state: "superseded" },
    ]);
    expect(await kit.context.store.read.activations.groupsDue(10)).toEqual([]);
  });
});
