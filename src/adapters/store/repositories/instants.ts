/** Instants as numbers, for those who compare them with each other: one clock, the database's. */
import { type RawBuilder, sql } from "kysely";

/** Milliseconds since the epoch, with fractions cut off; null stays null. */
export function ms(instant: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`floor(extract(epoch from ${instant}) * 1000)::float8`;
}
