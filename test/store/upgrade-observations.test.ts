/** A store that kept each look for years: `migrate` leaves the newest of each place, and gives the space back. */
import { expect, it } from "vitest";
import { loadMigrations } from "../../src/adapters/store/migration-files.ts";
import { migrate } from "../../src/adapters/store/migrator.ts";
import { createTestDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";

const LOOKS = 20_000;

it("the newest look of each binding and slot stays, and the rest goes with its space", async () => {
  const { pool, connection, drop } = await createTestDatabase("embedded", { migrated: false });
  try {
    const all = loadMigrations();
    await migrate(
      connection,
      SILENT,
      all.filter(({ version }) => version <= 20),
    );
    await pool.query(`
      with e as (insert into environment (name) values ('production') returning id),
        s as (insert into secret (environment_id, name, policy) select id, 'AUTH', '{}' from e returning id),
        t as (insert into target (environment_id, name, kind, config, destination)
          select id, 'api', 'memory', '{}', 'd' from e returning id)
      insert into binding (secret_id, target_id, key, fallback_key, role, options)
      select s.id, t.id, key, key || '_FALLBACK', 'both', '{}' from s, t, unnest(array['A', 'B', 'NEVER_SEEN']) key`);
    await pool.query(
      `insert into observation (binding_id, slot, found, version, reason, observed_at)
       select b.id, slot, case when look = $1 and key = 'B' then 'unreadable' else 'version' end,
         case when look = $1 and key = 'B' then null else look end, case when look = $1 and key = 'B' then 'away' end,
         now() - ($1 - look) * interval '5 minutes'
       from binding b, unnest(array['primary', 'fallback']) slot, generate_series(1, $1) look
       where key <> 'NEVER_SEEN' order by look`,
      [LOOKS],
    );
    const size = async () => {
      const { rows } = await pool.query<{ bytes: number }>(
        `select sum(pg_total_relation_size(oid))::float8 as bytes from pg_class where relname like 'observation%' and relkind = 'r'`,
      );
      return rows[0]?.bytes ?? 0;
    };
    const before = await size();
    await migrate(connection, SILENT);

    const seen = (slot: string) => [
      { key: "A", slot, found: "version", version: LOOKS, reason: null, same: true },
      { key: "B", slot, found: "unreadable", version: null, reason: "away", same: true },
    ];
    const { rows } = await pool.query(
      `select b.key, slot, found, version, reason, first_seen_at = observed_at as same
       from observation o join binding b on b.id = o.binding_id order by slot, key`,
    );
    expect(rows).toEqual([...seen("fallback"), ...seen("primary")]);
    const { rows: changes } = await pool.query("select from observation_change");
    expect(changes).toHaveLength(4);
    expect(before / (await size())).toBeGreaterThan(30);
  } finally {
    await drop();
  }
});
