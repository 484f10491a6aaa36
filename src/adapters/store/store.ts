/**
 * The store on Postgres.
 *
 * Promises: what `transaction` does commits together or not at all; transient failures of Postgres arrive as
 * STORE_UNAVAILABLE and never as a foreign error; a write through `read` is refused as the defect it is.
 * Leaves to others: opening the embedded Postgres (`embedded/`), the schema (`migrator.ts`), sealing and unsealing.
 */
import type pg from "pg";
import type { Repositories, Store } from "../../core/store/store.ts";
import { createDatabase } from "./pool.ts";
import { ReadOnlyPlugin } from "./read-only.ts";
import { createRepositories } from "./repositories.ts";
import { runRead, runTransaction } from "./transaction.ts";

/** Takes the pool over: `close` ends it. */
export function createStore(pool: pg.Pool): Store {
  const database = createDatabase(pool);
  const read = createRepositories(database.withPlugin(new ReadOnlyPlugin()));
  return {
    transaction: (work) => runTransaction(database, (tx) => work(createRepositories(tx))),
    read: translateAll(read),
    close: () => database.destroy(),
  };
}

function translateAll(repositories: Repositories): Repositories {
  const translated: Record<string, unknown> = {};
  for (const [name, repository] of Object.entries(repositories)) translated[name] = translate(repository);
  return { ...repositories, ...translated };
}

/** The same object; errors of its methods leave in the catalogue's words. */
function translate(repository: object): object {
  return new Proxy(repository, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...parameters: readonly unknown[]): Promise<unknown> =>
        runRead<unknown>(async () => Reflect.apply(member, target, parameters));
    },
  });
}
