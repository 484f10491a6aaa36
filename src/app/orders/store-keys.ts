/**
 * The store's own keys between it and its agents, each made once per store and sealed at rest.
 *
 *   bundle     signs what agents are given, and nothing else; agents pin it when they enrol
 *   take-over  opens what they report of a value that its authority has changed; each bundle that asks for it names it
 */
import type { z } from "zod";
import { storeKeyAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import {
  type EncryptionKey,
  encryptionKey,
  newEncryptionKey,
  newSigningKey,
  publicPart,
  type SigningKey,
  signingKey,
} from "../../protocol/agent/keys.ts";
import type { AppContext } from "../base/context.ts";

interface KeyKind<Key> {
  readonly name: "bundle" | "take-over";
  readonly make: () => Key;
  readonly schema: z.ZodType<Key>;
}

const BUNDLE: KeyKind<SigningKey> = {
  name: "bundle",
  make: newSigningKey,
  schema: signingKey,
};
const TAKE_OVER: KeyKind<EncryptionKey> = {
  name: "take-over",
  make: newEncryptionKey,
  schema: encryptionKey,
};

/** Throws SEALED_UNREADABLE, STORE_UNAVAILABLE. */
export function openBundleKey(context: AppContext): Promise<SigningKey> {
  return openOnce(context, BUNDLE);
}

/** Throws SEALED_UNREADABLE, STORE_UNAVAILABLE. */
export function openTakeOverKey(context: AppContext): Promise<EncryptionKey> {
  return openOnce(context, TAKE_OVER);
}

function openOnce<Key extends EncryptionKey | SigningKey>(
  context: AppContext,
  kind: KeyKind<Key>,
): Promise<Key> {
  const { storeKeys } = context.opened;
  const known = storeKeys.get(kind.name);
  if (known !== undefined) return known as Promise<Key>;
  const opening = open(context, kind);
  storeKeys.set(kind.name, opening);
  // A store that is away now may be there at the next call.
  opening.catch(() => storeKeys.delete(kind.name));
  return opening;
}

async function open<Key extends EncryptionKey | SigningKey>(
  context: AppContext,
  { name, make, schema }: KeyKind<Key>,
): Promise<Key> {
  const associatedData = storeKeyAssociatedData(context.storeId, name);
  if ((await context.store.read.agents.key(name)) === null) {
    const made = make();
    const privateSealed = await context.sealer.seal(JSON.stringify(made), associatedData);
    await context.store.transaction((tx) =>
      tx.agents.addKey(name, { public: publicPart(made), privateSealed }),
    );
  }
  // Read in any case: another server may have been faster.
  const kept = await context.store.read.agents.key(name);
  if (kept === null) throw new LockstepError("INTERNAL", `The store has no key "${name}" for its agents.`);
  return schema.parse(JSON.parse(await context.sealer.open(kept.privateSealed, associatedData)));
}
