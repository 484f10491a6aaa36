/**
 * Postgres as Kysely knows it, with an honest commit. When a statement failed and the work went on nevertheless,
 * Postgres answers `commit` with a rollback and no error: a change would be reported that never happened. The
 * statement before it, in the same round trip, turns that into an error.
 */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
} from "kysely";

const CHECKED_COMMIT = CompiledQuery.raw("select 1; commit");

class CheckedDriver extends PostgresDriver {
  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CHECKED_COMMIT);
  }
}

export class CheckedPostgresDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new CheckedDriver(this.#config);
  }
}
