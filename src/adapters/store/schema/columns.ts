/** Columns that are written in another form than they are read in. */
import type { ColumnType } from "kysely";

export type Jsonb<T> = ColumnType<T, string, string>;
export type JsonbWithDefault<T> = ColumnType<T, string | undefined, string>;
export type ListWithDefault = ColumnType<string[], readonly string[] | undefined, readonly string[]>;

/** What a jsonb column is written with. */
export function jsonb(value: unknown): string {
  return JSON.stringify(value);
}
