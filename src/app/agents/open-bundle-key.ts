/**
 * The key that signs what agents are told, and nothing else. Made once per store, sealed at rest; agents pin it when
 * they enrol, so it stays as long as the store does.
 */
import { storeKeyAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import { newSigningKey, publicPart, type SigningKey, signingKey } from "../../protocol/agent/keys.ts";
import type { AppContext } from "../context.ts";

const NAME = "bundle";
/** Opened once per process: every bundle is signed with it. */
const opened = new WeakMap<AppContext, Promise<SigningKey>>();

/** Throws SEALED_UNREADABLE, STORE_UNAVAILABLE. */
export function openBundleKey(context: AppContext): Promise<SigningKey> {
  const known = opened.get(context);
  if (known !== undefined) return known;
  const opening = open(context);
  opened.set(context, opening);
  // A store that is away now may be there at the next call.
  opening.catch(() => opened.delete(context));
  return opening;
}

async function open(context: AppContext): Promise<SigningKey> {
  const associatedData = storeKeyAssociatedData(context.storeId, NAME);
  if ((await context.store.read.agents.key(NAME)) === null) {
    const made = newSigningKey();
    const privateSealed = await context.sealer.seal(JSON.stringify(made), associatedData);
    await context.store.transaction((tx) =>
      tx.agents.addKey(NAME, { public: publicPart(made), privateSealed }),
    );
  }
  // Read in any case: another server may have been faster.
  const kept = await context.store.read.agents.key(NAME);
  if (kept === null) throw new LockstepError("INTERNAL", "The store has no key for agents' bundles.");
  return signingKey.parse(JSON.parse(await context.sealer.open(kept.privateSealed, associatedData)));
}
