/**
 * The key of the agents' listener where no certificate is given: made once per store, so that every server of it shows
 * the same one and a code that was given out stays good.
 */
import { storeKeyAssociatedData } from "../../../core/associated-data.ts";
import { LockstepError } from "../../../core/errors.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import type { AppContext } from "../../base/context.ts";

const NAME = "agent-tls";

export interface ListenerKey {
  readonly certificatePem: string;
  readonly privateKeyPem: SecretValue;
}

/** Throws SEALED_UNREADABLE. */
export async function openListenerKey(
  context: AppContext,
  make: () => { readonly certificatePem: string; readonly privateKeyPem: string },
): Promise<ListenerKey> {
  const associatedData = storeKeyAssociatedData(context.storeId, NAME);
  if ((await context.store.read.agents.key(NAME)) === null) {
    const made = make();
    const privateSealed = await context.sealer.seal(made.privateKeyPem, associatedData);
    const key = { public: { certificate: made.certificatePem }, privateSealed };
    await context.store.transaction((tx) => tx.agents.addKey(NAME, key));
  }
  // Read in any case: another server may have been faster.
  const known = await context.store.read.agents.key(NAME);
  const certificate = known?.public["certificate"];
  if (known === null || typeof certificate !== "string") {
    throw new LockstepError("INTERNAL", "The agents' listener has no certificate in the store.");
  }
  return {
    certificatePem: certificate,
    privateKeyPem: SecretValue.of(await context.sealer.open(known.privateSealed, associatedData)),
  };
}
