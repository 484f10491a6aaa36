/** Whoever changes what is said of a place owes it a judgement; whoever changes nothing of it owes none. */
import { randomUUID } from "node:crypto";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { judgeChanged } from "../../src/app/status/judge-changed.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { Judgement } from "../../src/core/store/judgements.ts";
import { describeOnAStore } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

type Names = Readonly<Record<"secret" | "target" | "binding" | "unit" | "agent", string>>;

describeOnAStore("what is owed a judgement", (database) => {
  let kit: LoopKit;
  let names: Names;

  beforeAll(() => {
    kit = createLoopKit(database());
  });

  /** A secret with a version, bound at a target with a unit, an agent, a look, a push and a renewal. */
  beforeEach(async () => {
    await kit.reset();
    await kit.target("api");
    const [target = ""] = await kit.targetIds("api");
    const secret = await kit.secret("AUTH");
    const binding = await kit.bind("AUTH", "api");
    await kit.set("AUTH", "good");
    const [unit = "", agent = "", enrolment = ""] = [randomUUID(), randomUUID(), randomUUID()];
    await kit.rows(`insert into unit (id, key, name, kind, config, follow_group)
      values ('${unit}', '${unit}', 'app', 'memory', '{}', '${unit}')`);
    await kit.rows(`insert into target_unit (target_id, unit_id) values ('${target}', '${unit}')`);
    await kit.rows(`insert into activation (unit_id, target_id, state, digest)
      values ('${unit}', '${target}', 'owed', 'd')`);
    await kit.rows(`insert into observation (binding_id, slot, found, first_seen_at, observed_at)
      values ('${binding}', 'primary', 'absent', now() - interval '1 hour', now() - interval '1 hour')`);
    await kit.rows(`insert into enrolment (id, target_id, lookup_hash, mac_key_sealed, actor, expires_at)
      values ('${enrolment}', '${target}', '${enrolment}', '', '{}', now())`);
    await kit.rows(`insert into agent (id, target_id, enrolment_id, state, sign_key, encrypt_key, last_seen_at)
      values ('${agent}', '${target}', '${enrolment}', 'active', '{}', '{}', now())`);
    await kit.rows(`insert into renewal (secret_id) values ('${secret}')`);
    names = { secret, target, binding, unit, agent };
    await kit.rows("delete from judgement_owed");
  });

  const owed = async () => {
    const rows = await kit.rows<{ kind: Judgement["kind"]; id: string }>(
      "select distinct kind, subject_id as id from judgement_owed order by kind",
    );
    for (const { kind, id } of rows) expect(id).toBe(names[kind]);
    return rows.map(({ kind }) => kind);
  };
  const change = (statement: string) =>
    kit.rows(
      statement.replace(
        /:(secret|target|binding|unit|agent)\b/g,
        (_, name: keyof Names) => `'${names[name]}'`,
      ),
    );

  describe.each<[readonly Judgement["kind"][], readonly string[]]>([
    [
      ["secret"],
      [
        'update secret set policy = \'{"rotate": {"every": "1d"}}\' where id = :secret',
        "update secret set removed_at = now() where id = :secret",
        "update secret_version set state = 'retired' where secret_id = :secret",
        "update secret_version set expires_at = now() where secret_id = :secret",
        "update rollout set state = 'stalled' where secret_id = :secret",
        "update rollout set phase = 'settle' where secret_id = :secret",
        "update rollout set held = true where secret_id = :secret",
        "update renewal set failures = 2 where secret_id = :secret",
        "update renewal set refusals = 2 where secret_id = :secret",
        "update renewal set error_code = 'X', error_message = 'x' where secret_id = :secret",
        "update renewal set lost_at = now() where secret_id = :secret",
      ],
    ],
    [
      ["target"],
      [
        "update target set gave_up_at = now() where id = :target",
        "update target set error_code = 'X', error_message = 'x' where id = :target",
        "update target set check_error_code = 'X' where id = :target",
        "update target set copies = '{\"copies\": []}' where id = :target",
        "update target set test_failures = '[]' where id = :target",
        "update target set removed_at = now() where id = :target",
        "update activation set state = 'failed' where unit_id = :unit",
        "insert into activation (unit_id, target_id, state, digest) values (:unit, :target, 'blocked', 'd')",
        "update agent set state = 'revoked' where id = :agent",
        "update agent set report = '{\"refused\": []}' where id = :agent",
        "update agent set clock_ahead_seconds = 90 where id = :agent",
        "update agent set last_seen_at = null where id = :agent",
      ],
    ],
    [
      ["binding"],
      [
        "update binding set settled = '{\"primary\": 1}', settled_at = now() where id = :binding",
        "update binding set settled_at = now() where id = :binding",
        "update binding set evidence = 'running' where id = :binding",
        "update binding set acceptance = '{\"1\": {}}' where id = :binding",
        "update binding set lacks = true where id = :binding",
        "update binding set look_reason = 'old' where id = :binding",
        "update binding set role = 'caller' where id = :binding",
        "update observation set found = 'unknown' where binding_id = :binding",
        "update observation set found = 'version', version = 1 where binding_id = :binding",
        "update observation set reason = 'a reference' where binding_id = :binding",
        "insert into observation (binding_id, slot, found, first_seen_at) values (:binding, 'fallback', 'absent', now())",
        "update ownership set written_generation = 7 where binding_id = :binding",
        "update ownership set prune = true where binding_id = :binding",
        "delete from ownership where binding_id = :binding",
      ],
    ],
    [
      ["binding", "secret"],
      [
        "update binding set used_by = '{\"1\": {}}' where id = :binding",
        "update binding set removed_at = now() where id = :binding",
      ],
    ],
    [
      [],
      [
        "update secret set rotate_not_before = now() where id = :secret",
        "update secret_version set value_looked_at = now() where secret_id = :secret",
        "update renewal set lease_until = now() where secret_id = :secret",
        "update target set lease_until = now(), lease_token = lease_token + 1 where id = :target",
        "update target set checked_at = now(), next_check_at = now() where id = :target",
        "update target set generation = generation + 1, next_action_at = now() where id = :target",
        "update agent set last_seen_at = now() where id = :agent",
        "update observation set observed_at = now() where binding_id = :binding",
        "update binding set looked_at = now() where id = :binding",
        "update activation set lease_until = now() where unit_id = :unit",
      ],
    ],
  ])("%j", (kinds, statements) => {
    it.each(statements)("%s", async (statement) => {
      await change(statement);
      expect(await owed()).toEqual(kinds);
    });
  });

  it("what a later look still sees says more than an earlier one", async () => {
    await change(
      "update binding set lacks = true, looked_at = now() - interval '1 hour' where id = :binding",
    );
    await kit.rows("delete from judgement_owed");
    await change("update binding set looked_at = now() where id = :binding");
    expect(await owed()).toEqual(["binding"]);
  });

  it("the same seen after a write says more than before it, once", async () => {
    await change("update binding set settled_at = now() - interval '1 minute' where id = :binding");
    await kit.rows("delete from judgement_owed");
    await change(
      "update observation set observed_at = now() - interval '2 minutes' where binding_id = :binding",
    );
    expect(await owed()).toEqual([]);
    await change("update observation set observed_at = now() where binding_id = :binding");
    expect(await owed()).toEqual(["binding"]);
    await kit.rows("delete from judgement_owed");
    await change(
      "update observation set observed_at = now() + interval '1 second' where binding_id = :binding",
    );
    expect(await owed()).toEqual([]);
  });

  it("what begins owes one, and so does what it belongs to", async () => {
    await kit.secret("NEXT");
    await kit.target("web");
    await kit.bind("NEXT", "web");
    await kit.set("NEXT", "value");
    const rows = await kit.rows<{ kind: string; name: string }>(`
      select distinct o.kind, coalesce(s.name, t.name, b.key) as name from judgement_owed o
        left join secret s on s.id = o.subject_id left join target t on t.id = o.subject_id
        left join binding b on b.id = o.subject_id order by 1, 2`);
    expect(rows).toEqual([
      { kind: "binding", name: "NEXT" },
      { kind: "secret", name: "NEXT" },
      { kind: "target", name: "web" },
    ]);
  });

  describe("the judge", () => {
    const judged = async () =>
      await kit.rows<{ kind: string; state: string | null }>(
        "select kind, state from judgement order by kind, subject_id",
      );

    it("keeps one row each, and forgets what is gone", async () => {
      await kit.rows("insert into judgement_owed (kind, subject_id) select 'secret', id from secret");
      await kit.rows("insert into judgement_owed (kind, subject_id) select 'target', id from target");
      await judgeChanged(kit.context);
      expect(await judged()).toEqual([
        { kind: "binding", state: "owed" },
        { kind: "secret", state: null },
        { kind: "target", state: null },
      ]);
      expect(await kit.context.store.read.judgements.isOwed()).toBe(false);
      await change("update ownership set written_generation = null where binding_id = :binding");
      await change("update binding set removed_at = now() where id = :binding");
      await change("update target set removed_at = now() where id = :target");
      await judgeChanged(kit.context);
      expect(await judged()).toEqual([{ kind: "secret", state: null }]);
      await change("update secret set removed_at = now() where id = :secret");
      await judgeChanged(kit.context);
      expect(await judged()).toEqual([]);
    });

    it("leaves what it cannot judge owed, and of two at a time one judges", async () => {
      await change("update target set gave_up_at = now() where id = :target");
      const { store } = kit.context;
      const broken = { ...store, read: { ...store.read, views: { ...store.read.views, targets: broke } } };
      await expect(judgeChanged(kit.other({ store: broken }))).rejects.toThrow(LockstepError);
      expect(await owed()).toEqual(["target"]);
      await store.transaction(async (tx) => {
        expect(await tx.checks.takeTurn("judge")).toBe(true);
        await judgeChanged(kit.context);
      });
      expect(await owed()).toEqual(["target"]);
      await judgeChanged(kit.context);
      expect(await owed()).toEqual([]);
    });

    it("asks again when time alone may change it, and not before", async () => {
      await change("update target set next_action_at = now() where id = :target");
      await change("update target set gave_up_at = null, error_code = 'X' where id = :target");
      await change("update target set error_code = null where id = :target");
      await judgeChanged(kit.context);
      // Owed, and told of once nobody has taken it up for two minutes.
      const [row] = await kit.rows<{ seconds: number; noticed: boolean }>(
        `select extract(epoch from judge_at - now())::float8 as seconds, noticed from judgement
         where subject_id = '${names.binding}'`,
      );
      expect(row?.noticed).toBe(false);
      expect(row?.seconds).toBeGreaterThan(30);
      expect(row?.seconds).toBeLessThanOrEqual(120);
      const later = { now: () => new Date(Date.now() + 130_000) };
      await kit.rows("update judgement set judge_at = judge_at - interval '130 seconds'");
      await judgeChanged(kit.other({ clock: later }));
      expect(await kit.rows(`select noticed from judgement where subject_id = '${names.binding}'`)).toEqual([
        { noticed: true },
      ]);
    });
  });
});

async function broke(): Promise<never> {
  throw new LockstepError("STORE_UNAVAILABLE", "It is away.");
}
