/** Reads a value from where it is kept, and believes it only by its fingerprint. */
import { LockstepError } from "../../core/errors.ts";
import type { StoredValue, ValueStore, ValueTrouble } from "../../core/ports/value-store.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { PlacedVersion } from "../../core/store/value-places.ts";
import { valueHint, valueTroubleText } from "../../core/stored-value.ts";
import type { AppContext } from "../base/context.ts";

/**
 * Never within a transaction. Throws SEALED_UNREADABLE, VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED, and
 * VALUE_STORE_CHANGED for a value that somebody else changed or removed there, which doctor names from then on.
 */
export async function readValue(context: AppContext, placed: PlacedVersion): Promise<string> {
  const { stored, secretId, fingerprint } = placed;
  const store = storeOf(context, stored);
  let plain: string;
  try {
    plain = await store.read(placed, stored);
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "VALUE_STORE_CHANGED") throw error;
    throw await changed(context, placed, (error.details["trouble"] as ValueTrouble | undefined) ?? "changed");
  }
  if (stored.kind === "sealed") return plain;
  if (context.fingerprinter.fingerprint(secretId, SecretValue.of(plain)) === fingerprint) return plain;
  throw await changed(context, placed, "changed");
}

/** Throws VALUE_STORE_UNAVAILABLE where this process was not told of that store. */
export function storeOf({ values }: AppContext, { kind }: StoredValue): ValueStore {
  if (kind === "sealed") return values.sealed;
  if (values.named !== null) return values.named;
  throw new LockstepError(
    "VALUE_STORE_UNAVAILABLE",
    "The value is kept in Vault, and this process was told of none.",
    {
      hint: "Set LOCKSTEP_VAULT_ADDR and what goes with it, or move the values: `lockstep store move-values`.",
    },
  );
}

async function changed(
  context: AppContext,
  placed: PlacedVersion,
  trouble: ValueTrouble,
): Promise<LockstepError> {
  const { secretId, version, stored } = placed;
  if (stored.kind === "named") {
    const looked = { secretId, version, name: stored.name, createdTime: stored.createdTime };
    await context.store.transaction((tx) => tx.valuePlaces.recordLook(looked, trouble));
  }
  const secret = await context.store.read.secrets.findById(secretId);
  const name = secret?.name ?? secretId;
  return new LockstepError(
    "VALUE_STORE_CHANGED",
    `Cannot use v${version} of "${name}": ${valueTroubleText(trouble)}.`,
    { details: { secretId, version, trouble }, hint: valueHint(name, trouble) },
  );
}
