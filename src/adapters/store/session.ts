/**
 * A session of ours holds what it was begun with. A pooler in between may refuse that (STORE_POOLER, told by
 * `errors.ts`) or pass over it without a word: then a statement would never be given up, and the queue would look for
 * its tables where the store's are.
 */
import pg from "pg";
import { LockstepError } from "../../core/errors.ts";
import { toStoreError } from "./errors.ts";
import { clientConfig, type StoreConnection } from "./pool.ts";

/** A setting of nobody's: Postgres keeps any with a dot in its name. */
const MARK = "lockstep.session";

/** Throws STORE_POOLER, STORE_UNAVAILABLE and its kind. */
export async function assertSession(connection: StoreConnection): Promise<void> {
  const client = new pg.Client({
    ...clientConfig(connection),
    options: `${connection.options ?? ""} -c ${MARK}=kept`,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ timeout: string; mark: string | null }>(
      "select current_setting('statement_timeout') as timeout, current_setting($1, true) as mark",
      [MARK],
    );
    const lost = [
      ...(rows[0]?.timeout === "0" ? ["statement_timeout"] : []),
      ...(rows[0]?.mark === "kept" ? [] : ["options"]),
    ];
    if (lost.length > 0) {
      throw new LockstepError(
        "STORE_POOLER",
        `Cannot use the store: what answers passes over the startup parameter ${lost.join(" and ")}, as a connection pooler does.`,
      );
    }
  } catch (error) {
    throw toStoreError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
