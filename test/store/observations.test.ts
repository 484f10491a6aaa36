/** What is seen at places: one row of now for each binding and slot, and a row for each change. */
import fc from "fast-check";
import { beforeAll, beforeEach, expect, it } from "vitest";
import type { NewObservation } from "../../src/core/store/pushes.ts";
import { describeOnAStore } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";

type Found = Pick<NewObservation, "found" | "version" | "reason">;
interface Now {
  readonly slot: string;
  readonly found: string;
  readonly version: number | null;
  readonly first: number;
  readonly last: number;
}

const found = fc.oneof(
  fc.record({
    found: fc.constant("version" as const),
    version: fc.integer({ min: 1, max: 3 }),
    reason: fc.constant(null),
  }),
  fc.record({
    found: fc.constantFrom("unknown" as const, "absent" as const, "unreadable" as const),
    version: fc.constant(null),
    reason: fc.constantFrom(null, "refused", "after 10.2 s"),
  }),
);

describeOnAStore("what is seen at places", (database) => {
  let kit: LoopKit;
  let binding: string;

  beforeAll(() => {
    kit = createLoopKit(database());
  });

  beforeEach(async () => {
    await kit.reset();
    await kit.target("api");
    await kit.secret("AUTH");
    binding = await kit.bind("AUTH", "api");
  });

  const observe = (seen: readonly (Found & { slot?: "primary" | "fallback" })[], agoMs = 0) =>
    kit.context.store.transaction((tx) =>
      tx.pushes.observe(
        seen.map((one) => ({ bindingId: binding, slot: "primary", pushId: null, ...one })),
        agoMs,
      ),
    );
  /** As the release before this schema does it. */
  const append = ({ found, version, reason }: Found, slot = "primary") =>
    database().pool.query(
      "insert into observation (binding_id, slot, push_id, found, version, reason, observed_at) values ($1, $2, null, $3, $4, $5, clock_timestamp())",
      [binding, slot, found, version, reason],
    );
  const now = () =>
    kit.rows<Now>(`select slot, found, version, extract(epoch from first_seen_at)::float8 as first,
      extract(epoch from observed_at)::float8 as last from observation order by slot`);
  const changes = () =>
    kit.rows<Found>("select found, version from observation_change where slot = 'primary' order by id");

  it("any sequence, by this release or the one before, leaves one row of now, and one for each change", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(found, fc.boolean()), { minLength: 1, maxLength: 12 }),
        async (sequence) => {
          await kit.rows("delete from observation");
          await kit.rows("delete from observation_change");
          const expected: Pick<Found, "found" | "version">[] = [];
          for (const [one, isOld] of sequence) {
            if (isOld) await append(one);
            else await observe([one]);
            const last = expected.at(-1);
            if (last?.found !== one.found || last.version !== one.version)
              expected.push({ found: one.found, version: one.version });
          }
          expect(await changes()).toEqual(expected);
          const rows = await now();
          expect(rows).toHaveLength(1);
          expect(rows[0]).toMatchObject(expected.at(-1) ?? {});
          const newest = await kit.rows<{ at: number }>(
            "select extract(epoch from seen_at)::float8 as at from observation_change order by id desc limit 1",
          );
          expect(rows[0]?.first).toBe(newest[0]?.at);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("knows since when it was the same, and when that was seen last", async () => {
    const same = { found: "version", version: 1, reason: null } as const;
    await observe([same], 5_000);
    await observe([same]);
    const [row] = await now();
    expect((row?.last ?? 0) - (row?.first ?? 0)).toBeGreaterThan(4.9);
    await observe([{ found: "absent", version: null, reason: null }]);
    const [other] = await now();
    expect(other?.first).toBe(other?.last);
  });

  it("slots are apart, and of one that is named twice the last word counts", async () => {
    await observe([
      { found: "absent", version: null, reason: null },
      { slot: "fallback", found: "version", version: 1, reason: null },
      { found: "version", version: 2, reason: null },
    ]);
    expect(await now()).toMatchObject([
      { slot: "fallback", version: 1 },
      { slot: "primary", version: 2 },
    ]);
  });
});
