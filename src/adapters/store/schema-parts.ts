/** What the descriptions of tables have in common. */
import type { ColumnType } from "kysely";

export type Jsonb<T> = ColumnType<T, string, string>;
export type JsonbWithDefault<T> = ColumnType<T, string | undefined, string>;

/** What a jsonb column is written with. */
export function jsonb(value: unknown): string {
  return JSON.stringify(value);
}
