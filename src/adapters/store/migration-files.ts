/** The package's `migrations/` folder: `000001_create_store.sql` and so on, without gaps, never edited once merged. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LockstepError } from "../../core/errors.ts";

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  /** sha256 of the text with Unix line ends, hex: a checkout on another system is no change. */
  readonly checksum: string;
  /** What runs in its place, with the same result. */
  readonly gentler: string | null;
  /** Tables that it needs for itself alone, in whatever order it comes to them: locked before it begins. */
  readonly locksFirst: readonly string[];
}

/** A merged file is never edited. One that keeps others waiting for too long has a file of its name in here. */
const GENTLER = "gentler";
/** Said by a line of the file: `-- Locks first: binding, push`. */
const LOCKS_FIRST = /^-- Locks first: (.+)$/m;
/** Three floors up from both `src/adapters/store` and `dist/adapters/store`. */
const PACKAGE_FOLDER = fileURLToPath(new URL("../../../migrations", import.meta.url));

const FILE_NAME = /^(\d{6})_[a-z0-9_]+\.sql$/;

export function loadMigrations(folder: string = PACKAGE_FOLDER): readonly Migration[] {
  const names = listFolder(folder).filter((name) => name.endsWith(".sql"));
  const gentler = existsSync(join(folder, GENTLER)) ? listFolder(join(folder, GENTLER)) : [];
  return names.sort().map((name, index) => {
    const version = Number(FILE_NAME.exec(name)?.[1] ?? Number.NaN);
    if (version !== index + 1) {
      throw new LockstepError("INTERNAL", `Cannot read the migrations: ${name} is not number ${index + 1}.`);
    }
    return {
      ...parseMigration(version, name, readFileSync(join(folder, name), "utf8")),
      gentler: gentler.includes(name) ? readFileSync(join(folder, GENTLER, name), "utf8") : null,
    };
  });
}

export function parseMigration(version: number, name: string, text: string): Migration {
  const sql = text.replaceAll("\r\n", "\n");
  const locksFirst = LOCKS_FIRST.exec(sql)?.[1]?.split(", ") ?? [];
  return {
    version,
    name,
    sql,
    checksum: createHash("sha256").update(sql).digest("hex"),
    gentler: null,
    locksFirst,
  };
}

/** The table in which the migrator keeps what ran. */
export const MIGRATION_TABLE = "schema_migration";

/** Which tables stand after them: in a schema that others use too nothing else tells ours from theirs. */
export function tablesOf(migrations: readonly Migration[]): readonly string[] {
  const tables = new Set([MIGRATION_TABLE]);
  for (const { sql } of migrations) {
    const statements = sql.matchAll(/^\s*(create|drop) table (?:if (?:not )?exists )?([a-z_][a-z0-9_]*)/gim);
    for (const [, verb, name = ""] of statements) {
      if (verb?.toLowerCase() === "create") tables.add(name);
      else tables.delete(name);
    }
  }
  return [...tables];
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    throw new LockstepError("INTERNAL", "Cannot read the migrations: the package's folder is missing.");
  }
}
