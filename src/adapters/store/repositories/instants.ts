/** Instants as numbers, for those who compare them with each other: one clock, the database's. */
import { type RawBuilder, sql } from "kysely";
import type { Keys } from "../../../lib/cursor.ts";

/** Milliseconds since the epoch, with fractions cut off; null stays null. */
export function ms(instant: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`floor(extract(epoch from ${instant}) * 1000)::float8`;
}

/** To the microsecond, as rows of one millisecond are told apart. */
export function instantText(instant: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** Of a list by descending instant and ascending id: what follows these keys. */
export function isAfter(
  instant: RawBuilder<unknown>,
  id: RawBuilder<unknown>,
  after: Keys | undefined,
): RawBuilder<boolean> {
  if (after === undefined) return sql`true`;
  const at = sql`${after[0]}::timestamptz`;
  return sql`(${instant} <= ${at} and (${instant} < ${at} or ${id} > ${after[1]}::uuid))`;
}
