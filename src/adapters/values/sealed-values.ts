/** Values in Postgres: sealed here, kept in their version's row by whoever adds it. */
import { versionAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { Sealer } from "../../core/ports/sealer.ts";
import type { ValueStore } from "../../core/ports/value-store.ts";

export function createSealedValues(sealer: Sealer): ValueStore {
  return {
    name: "postgres",
    nameFor: () => null,
    put: async ({ secretId, version }, _name, plain) => ({
      kind: "sealed",
      sealed: await sealer.seal(plain, versionAssociatedData(secretId, version)),
    }),
    read: async ({ secretId, version }, stored) => {
      if (stored.kind !== "sealed")
        throw new LockstepError("INTERNAL", "A value that is kept elsewhere was looked for in its row.");
      return sealer.open(stored.sealed, versionAssociatedData(secretId, version));
    },
  };
}
