/**
 * One transaction, again when Postgres asks for it.
 *
 * Isolation is READ COMMITTED: what must not move under a decision is locked by row (`for update`), which keeps the
 * claims of many workers (SKIP LOCKED) free of serialization failures. Deadlocks, and failures of callers that ask
 * for more isolation, are retried here with a fresh transaction, so the work may run more than once.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Kysely, Transaction } from "kysely";
import { isConnectionLost, isRetryable, toStoreError } from "./errors.ts";
import type { Database } from "./schema/schema.ts";

const MAX_ATTEMPTS = 6;
const BACKOFF_MS = 10;

/**
 * Throws LockstepErrors of `work` unchanged; STORE_UNAVAILABLE when the connection is lost, and when Postgres still
 * asks for another try after the last one. A connection lost during commit leaves the outcome open: whoever calls
 * looks again.
 */
export async function runTransaction<T>(
  database: Kysely<Database>,
  work: (tx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    let begun = false;
    try {
      return await database.transaction().execute((tx) => {
        begun = true;
        return work(tx);
      });
    } catch (error) {
      // Lost before anything was asked: an idle connection that Postgres had cut, which the pool did not know yet.
      const again = isRetryable(error) || (!begun && isConnectionLost(error));
      if (!again || attempt === MAX_ATTEMPTS) throw toStoreError(error);
      await delay(Math.random() * BACKOFF_MS * 2 ** attempt);
    }
  }
}

/** The same for a statement that only reads: it may be asked again whenever the connection was lost. */
export async function runRead<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read();
    } catch (error) {
      if (!isConnectionLost(error) || attempt === MAX_ATTEMPTS)
        throw toStoreError(error, "read from the store");
      await delay(Math.random() * BACKOFF_MS * 2 ** attempt);
    }
  }
}
