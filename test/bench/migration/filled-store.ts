/** A store at the previous release's schema, filled as years of work would have: all rows are made by Postgres itself. */
import type pg from "pg";

/** A target has ten bindings, as a service has secrets; a secret stands at fifty targets. */
const BINDINGS_PER_TARGET = 10;
const BINDINGS_PER_SECRET = 50;
const VERSIONS = 3;
/** Each version was pushed to each target once. */
const PUSHES_PER_TARGET = VERSIONS;
/** As many looks of each binding are kept where each look is a row, as before migration 21. */
const LOOKS_PER_BINDING = 5;

export interface Filled {
  readonly secrets: number;
  readonly targets: number;
  readonly pushes: number;
  readonly observations: number;
}

/** `bindings`: how many. Uses columns alone that every schema since the first has. */
export async function fillStore(
  client: pg.Client,
  bindings: number,
  say: (line: string) => void,
): Promise<Filled> {
  const targets = Math.max(1, Math.ceil(bindings / BINDINGS_PER_TARGET));
  const secrets = Math.max(BINDINGS_PER_TARGET, Math.ceil(bindings / BINDINGS_PER_SECRET));
  const steps: readonly (readonly [what: string, statement: string])[] = [
    [
      "secrets",
      `with e as (insert into environment (name) values ('production') returning id)
       insert into secret (environment_id, name, policy) select id, 'SECRET_' || n, '{}' from e, generate_series(0, ${secrets - 1}) n`,
    ],
    [
      "versions",
      `insert into secret_version (secret_id, version, state, value_name, value_created_time, fingerprint, created_by)
       select id, v, case v when ${VERSIONS} then 'current' else 'retired' end, v || '-0123456789abcdef', '2026-01-01T00:00:00Z',
         md5(id::text || v), 'bench' from secret, generate_series(1, ${VERSIONS}) v`,
    ],
    [
      "targets",
      `insert into target (environment_id, name, kind, config, destination, generation, settled_generation, next_check_at)
       select id, 'target-' || n, 'memory', '{"address": "memory://somewhere.example.com"}', 'memory', ${VERSIONS}, ${VERSIONS},
         now() + n * interval '1 second' from environment, generate_series(0, ${targets - 1}) n`,
    ],
    [
      "units",
      `with made as (insert into unit (key, name, kind, config, follow_group)
         select 'memory:' || name, name, 'memory', '{}', 'memory' from target returning id, name)
       insert into target_unit (target_id, unit_id) select t.id, made.id from made join target t on t.name = made.name`,
    ],
    [
      "bindings",
      `insert into binding (secret_id, target_id, key, fallback_key, role, options, settled, settled_digest, settled_at,
         evidence, evidence_at)
       select s.id, t.id, s.name, s.name || '_FALLBACK', 'both', '{}', '{"primary": ${VERSIONS}, "fallback": null}', md5(t.name),
         now(), 'deployed', now()
       from generate_series(0, ${bindings - 1}) n
         join (select id, name, row_number() over (order by name) - 1 as at from target) t on t.at = n / ${BINDINGS_PER_TARGET}
         join (select id, name, row_number() over (order by name) - 1 as at from secret) s
           on s.at = (n / ${BINDINGS_PER_TARGET} + n % ${BINDINGS_PER_TARGET}) % ${secrets}`,
    ],
    [
      "ownerships",
      `insert into ownership (place, key, target_id, binding_id, placement, slot, written_generation)
       select target_id::text, key, target_id, id, '', 'primary', ${VERSIONS} from binding`,
    ],
    [
      "pushes",
      `insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, evidence, started_at, ended_at)
       select t.id, 1, g, 1, g, '{"kind": "system"}', md5(t.name), 'succeeded', 'stored', now() - (${VERSIONS} - g) * interval '30 days',
         now() - (${VERSIONS} - g) * interval '30 days' from generate_series(1, ${PUSHES_PER_TARGET}) g, target t`,
    ],
    [
      "items of pushes",
      `insert into push_item (push_id, ordinal, binding_id, secret_id, placement, key, slot, version, action)
       select p.id, row_number() over (partition by p.id), b.id, b.secret_id, '', b.key, 'primary', p.generation, 'set'
       from push p join binding b on b.target_id = p.target_id`,
    ],
    [
      "restarts",
      `insert into activation (unit_id, target_id, state, digest, created_at, ended_at)
       select tu.unit_id, p.target_id, 'succeeded', p.digest, p.started_at, p.ended_at from push p join target_unit tu using (target_id)`,
    ],
    [
      "observations",
      `insert into observation (binding_id, slot, found, version, observed_at)
       select b.id, 'primary', 'version', ${VERSIONS}, now() - (${LOOKS_PER_BINDING} - look) * interval '5 minutes'
       from generate_series(1, ${LOOKS_PER_BINDING}) look, binding b`,
    ],
  ];
  const counts = new Map<string, number>();
  for (const [what, statement] of steps) {
    const { rowCount } = await client.query(statement);
    counts.set(what, rowCount ?? 0);
    say(`${rowCount} ${what}`);
  }
  await client.query("vacuum analyze");
  return {
    secrets,
    targets,
    pushes: counts.get("pushes") ?? 0,
    observations: counts.get("observations") ?? 0,
  };
}
