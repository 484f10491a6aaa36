/**
 * What a store of 30 bindings weighs after a year of looks, beside one that appends a row for each look. Time is
 * simulated: every row is dated back, so that a year passes in minutes, and history ends as it would have.
 */
import { DAY_MS, DEFAULT_RETENTION } from "../../../src/core/retention.ts";
import type { NewObservation } from "../../../src/core/store/pushes.ts";
import { createLoopKit } from "../../support/loop-kit.ts";
import type { Bench } from "../support/bench.ts";
import { round } from "../support/numbers.ts";
import { startCluster } from "../support/open-database.ts";

const BINDINGS = 30;
const TARGETS = 10;
const LOOK_EVERY_MS = 5 * 60_000;
const MIB = 1_048_576;
/** A place is away for one look, about once in that many days. */
const AWAY_EVERY_DAYS = 5;
/** Each secret moves once in that many days: a push and a restart at its target. */
const ROTATED_EVERY_DAYS = 30;
const ROWS_PER_STEP = 500;

export const bench: Bench = {
  about: "what a store weighs after a year of looks, beside one that keeps each of them",
  async run({ quick, signal, say, cleanUp }) {
    const days = quick ? 7 : 365;
    const openDatabase = await startCluster(cleanUp);
    const database = await openDatabase("history");
    const { pool } = database;
    const kit = createLoopKit(database);
    const { store } = kit.context;
    const bindings: string[] = [];
    for (let index = 0; index < TARGETS; index += 1) await kit.target(`place-${index}`);
    for (let index = 0; index < BINDINGS; index += 1) {
      await kit.secret(`SECRET_${index}`);
      bindings.push(await kit.bind(`SECRET_${index}`, `place-${index % TARGETS}`));
    }
    const bytes = async () =>
      (await store.read.retention.tableSizes()).reduce((sum, table) => sum + table.bytes, 0);
    const emptyBytes = await bytes();

    const looksPerDay = DAY_MS / LOOK_EVERY_MS;
    const began = performance.now();
    let looks = 0;
    let halfBytes = 0;
    for (let day = 0; day < days; day += 1) {
      for (let look = 0; look < looksPerDay; look += 1) {
        signal.throwIfAborted();
        const agoMs = (days - day) * DAY_MS - look * LOOK_EVERY_MS;
        const seen = bindings.map((bindingId, index): NewObservation => {
          const isAway = look === index && (day + index) % AWAY_EVERY_DAYS === 0;
          const version = Math.floor((day + index) / ROTATED_EVERY_DAYS) + 1;
          return isAway
            ? { bindingId, slot: "primary", pushId: null, found: "unreadable", version: null, reason: "away" }
            : { bindingId, slot: "primary", pushId: null, found: "version", version, reason: null };
        });
        await store.transaction((tx) => tx.pushes.observe(seen, agoMs));
        looks += seen.length;
      }
      const agoDays = days - day;
      // One of the thirty is rotated each day.
      await pool.query(
        `with pushed as (insert into push
            (target_id, epoch, generation, attempt, lease_token, actor, digest, outcome, started_at, ended_at)
          select target_id, 1, $2, 1, 1, '{}', 'd', 'succeeded', now() - $3 * interval '1 day',
            now() - $3 * interval '1 day' from binding where id = $1 returning id, target_id)
        insert into push_item (push_id, ordinal, binding_id, secret_id, placement, key, slot, version, action)
        select pushed.id, 0, b.id, b.secret_id, '', b.key, 'primary', $2, 'set' from pushed, binding b where b.id = $1`,
        [bindings[day % BINDINGS], day + 1, agoDays],
      );
      for (;;) {
        const step = await store.transaction((tx) =>
          tx.retention.step({ retention: DEFAULT_RETENTION, limit: ROWS_PER_STEP, againInMs: 0 }),
        );
        if (step === null || step.kind === "messages") break;
      }
      if (day === Math.floor(days / 2)) halfBytes = await bytes();
      if ((day + 1) % 30 === 0) say(`${day + 1} days: ${round((await bytes()) / MIB, 1)} MiB`);
    }
    const seconds = (performance.now() - began) / 1_000;
    const storeBytes = await bytes();
    const { rows: counted } = await pool.query<{ now: number; changes: number }>(
      "select (select count(*)::int from observation) as now, (select count(*)::int from observation_change) as changes",
    );

    say("the same looks, each kept");
    await pool.query(
      `create table kept_look (id bigint generated always as identity primary key, binding_id uuid not null, slot text not null,
        push_id uuid, found text not null, version integer, reason text, observed_at timestamptz not null);
      create index on kept_look (binding_id, slot, (-id))`,
    );
    // A day at a time: a statement of ours ends after a while.
    for (let day = 0; day < days; day += 1) {
      await pool.query(
        `insert into kept_look (binding_id, slot, found, version, observed_at)
         select b.id, 'primary', 'version', 1, now() from generate_series(1, $1) look, binding b`,
        [looksPerDay],
      );
    }
    const { rows: kept } = await pool.query<{ bytes: number }>(
      "select pg_total_relation_size('kept_look')::float8 as bytes",
    );
    const keptMiB = (kept[0]?.bytes ?? 0) / MIB;
    const grownMiB = (storeBytes - emptyBytes) / MIB;
    const result = {
      days,
      bindings: BINDINGS,
      looks,
      storeMiB: round(storeBytes / MIB, 1),
      grownMiB: round(grownMiB, 1),
      grownInSecondHalfMiB: round((storeBytes - halfBytes) / MIB, 1),
      rowsOfNow: counted[0]?.now ?? 0,
      rowsOfChanges: counted[0]?.changes ?? 0,
      keptLooksMiB: round(keptMiB, 1),
      ratio: round(keptMiB / grownMiB, 0),
      looksPerSecond: round(looks / seconds, 0),
    };
    return {
      result,
      tables: [
        {
          title: `${days} days of looks at ${BINDINGS} bindings`,
          head: [
            "looks",
            "store MiB",
            "grown MiB",
            "in the second half",
            "rows of now",
            "changes",
            "each kept, MiB",
            "ratio",
          ],
          rows: [
            [
              result.looks,
              result.storeMiB,
              result.grownMiB,
              result.grownInSecondHalfMiB,
              result.rowsOfNow,
              result.rowsOfChanges,
              result.keptLooksMiB,
              result.ratio,
            ],
          ],
        },
      ],
      conditions: [
        `${TARGETS} places, a look every ${LOOK_EVERY_MS / 60_000} minutes; each place is away for one look about every ${AWAY_EVERY_DAYS} days, and each secret moves every ${ROTATED_EVERY_DAYS}; history is kept as without LOCKSTEP_KEEP`,
        "embedded PostgreSQL; commits do not wait for the disk, so that a year passes in minutes; one transaction for each round of looks",
        "beside it: a table that gets a row for each look, with the index that finds the newest",
      ],
      limits: [
        `changes and pushes, which are as many as the places cause: what is looked at without a difference takes no space; ${result.looksPerSecond} looks a second were recorded`,
      ],
    };
  },
};
