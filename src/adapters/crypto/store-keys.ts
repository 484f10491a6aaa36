/**
 * Opens a store's keys at start: the rings that open it, checked against the store's key check, and the fingerprint key.
 *
 *   store empty, no key file     both are made
 *   store empty, key file given  the file's key is used
 *   store known, no key file     ROOT_KEY_MISSING
 *   store known, other key       ROOT_KEY_WRONG
 *
 * Changing the root key: every process starts with the new ring as the wanted one and the old one as the previous;
 * `rewrap` moves what is stored; then the old one is no longer named. A process may die anywhere between. The store
 * names the key that it is sealed under and takes no text under another: all seal under the old one until `rewrap`
 * begins, then under the new one, and a process that was left behind with the old one alone writes nothing.
 */
import { randomUUID } from "node:crypto";
import { fingerprintKeyAssociatedData, keyCheckAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import type { Fingerprinter, Sealer } from "../../core/ports/sealer.ts";
import type { StoreMeta } from "../../core/store/meta.ts";
import type { Store } from "../../core/store/store.ts";
import { parseEnvelope } from "./envelope.ts";
import { createFingerprinter, newFingerprintKey } from "./fingerprint.ts";
import { keyHint } from "./key-hint.ts";
import type { RingSource } from "./ring-sources.ts";
import { createSealer, type KeyRings, type SealingKey } from "./sealer.ts";
import { unlockLater } from "./unlock-later.ts";

const KEY_CHECK = "lockstep root key";

export interface StoreKeys {
  /** The one given. When it refuses a text because its key changed meanwhile, the transaction runs again with the new one. */
  readonly store: Store;
  readonly storeId: string;
  /** Names the root key of the wanted ring; null: its root is kept elsewhere. */
  readonly rootKeyId: string | null;
  readonly sealer: Sealer;
  readonly fingerprinter: Fingerprinter;
  /** Ends what still asks for a ring that was away at the start. */
  close(): void;
}

/** Told of a known store whose ring is away at the start; null: it has come, and everything goes on. */
export type TellOfRing = (failure: LockstepError | null) => void;

export interface StoreRings {
  /** The one that the store is to be sealed under. */
  readonly wanted: RingSource;
  /** Only opens, until `rewrap` has moved everything to the wanted one. */
  readonly previous?: readonly RingSource[];
}

/**
 * Throws ROOT_KEY_MISSING, ROOT_KEY_WRONG, SEALED_UNREADABLE; KEY_RING_REFUSED, which only a person can fix. A ring that
 * is away keeps an empty store from being set up (KEY_RING_UNAVAILABLE); a known one opens when the ring comes.
 */
export async function openStoreKeys(
  store: Store,
  rings: StoreRings,
  tell: TellOfRing = () => undefined,
): Promise<StoreKeys> {
  const known = await store.read.meta.read();
  return known === null ? setUp(store, rings) : openKnown(store, known, await openRings(rings), tell);
}

async function openRings({ wanted, previous = [] }: StoreRings): Promise<KeyRings> {
  const rings: [KeyRing, ...KeyRing[]] = [await wanted.open()];
  for (const source of previous) rings.push(await source.open());
  return rings;
}

async function setUp(store: Store, rings: StoreRings): Promise<StoreKeys> {
  // The row is gone although values are there: a new key would make them look like somebody else's.
  if (await store.read.meta.holdsSealedData()) {
    const meanwhile = await store.read.meta.read();
    // Another process set it up between our two looks, and made the key's file before.
    if (meanwhile !== null) return openKnown(store, meanwhile, [await rings.wanted.open()]);
    throw new LockstepError(
      "SEALED_UNREADABLE",
      "The store holds sealed values but has lost its identity row.",
    );
  }
  const { ring, takeBack } = await rings.wanted.openOrMake();
  try {
    await createMeta(store, createSealer([ring]));
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "ALREADY_EXISTS") throw error;
    return joinOther(store, ring, takeBack);
  }
  return openKnown(store, await readMeta(store), [ring]);
}

/** Another process set the store up meanwhile: fine with the same key; a key made here for nothing is taken away. */
async function joinOther(store: Store, ring: KeyRing, takeBack: () => Promise<void>): Promise<StoreKeys> {
  try {
    return await openKnown(store, await readMeta(store), [ring]);
  } catch (error) {
    if (error instanceof LockstepError && error.code === "ROOT_KEY_WRONG") await takeBack();
    throw error;
  }
}

async function createMeta(store: Store, sealer: Sealer): Promise<void> {
  const storeId = randomUUID();
  const keyCheck = await sealer.seal(KEY_CHECK, keyCheckAssociatedData(storeId));
  const fingerprintKeySealed = await sealer.seal(newFingerprintKey(), fingerprintKeyAssociatedData(storeId));
  await store.transaction(async (tx) => {
    await tx.meta.create({ storeId, keyCheck, fingerprintKeySealed });
    await tx.audit.append({
      action: "store.created",
      actor: { kind: "system", id: "start", name: "lockstep" },
      subject: { kind: "store", id: storeId, name: "store" },
    });
  });
}

async function openKnown(
  store: Store,
  meta: StoreMeta,
  rings: KeyRings,
  tell: TellOfRing = () => undefined,
): Promise<StoreKeys> {
  const sealing = followSealingKey(store, meta.sealingKeyId);
  const sealer = createSealer(rings, sealing);
  const known = {
    store: retrying(store, sealing),
    storeId: meta.storeId,
    rootKeyId: rings[0].rootKeyId,
  };
  try {
    const fingerprinter = await unlock(meta, sealer, rings);
    return { ...known, sealer, fingerprinter, close: () => undefined };
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "KEY_RING_UNAVAILABLE") throw error;
    tell(error);
    return {
      ...known,
      ...unlockLater({
        // Another process may have moved the store to another key meanwhile.
        unlock: async () => {
          await sealing.refresh();
          return unlock(await readMeta(store), sealer, rings);
        },
        sealer,
        failure: error,
        tell,
      }),
    };
  }
}

/** Throws ROOT_KEY_WRONG, and what the ring says. */
async function unlock(meta: StoreMeta, sealer: Sealer, rings: KeyRings): Promise<Fingerprinter> {
  await checkKey(meta, sealer, rings);
  const key = await sealer.open(meta.fingerprintKeySealed, fingerprintKeyAssociatedData(meta.storeId));
  return createFingerprinter(key);
}

/** Known from the start, and asked again when something speaks against it: sealing costs no question of its own. */
function followSealingKey(store: Store, known: string): SealingKey {
  let keyId = known;
  return {
    get keyId() {
      return keyId;
    },
    refresh: async () => {
      keyId = (await store.read.meta.read())?.sealingKeyId ?? keyId;
    },
  };
}

function retrying(store: Store, sealing: SealingKey): Store {
  return {
    ...store,
    transaction: async (work) => {
      try {
        return await store.transaction(work);
      } catch (error) {
        if (!(error instanceof LockstepError) || error.code !== "ROOT_KEY_CHANGED") throw error;
        await sealing.refresh();
        return store.transaction(work);
      }
    },
  };
}

async function checkKey(meta: StoreMeta, sealer: Sealer, rings: KeyRings): Promise<void> {
  const hasSealing = sealer.opens(meta.sealingKeyId);
  const isOpened = await opensCheck(meta, sealer);
  // In the middle of a `rewrap` two keys are needed: the check's own, which moves last, and the one in use.
  if (isOpened && hasSealing) return;
  throw new LockstepError(
    "ROOT_KEY_WRONG",
    isOpened
      ? "Cannot open the store: it is being moved to another root key than the one given."
      : "Cannot open the store: the root key is not the one that it was made with.",
    { hint: keyHint(isOpened ? meta.sealingKeyId : parseEnvelope(meta.keyCheck).keyId, hasSealing, rings) },
  );
}

/** A ring that is away, as a store, says nothing about the key: that goes to the caller. */
async function opensCheck(meta: StoreMeta, sealer: Sealer): Promise<boolean> {
  try {
    return (await sealer.open(meta.keyCheck, keyCheckAssociatedData(meta.storeId))) === KEY_CHECK;
  } catch (error) {
    if (
      !(error instanceof LockstepError) ||
      (error.family !== "integrity" && error.code !== "ROOT_KEY_CHANGED")
    )
      throw error;
    return false;
  }
}

async function readMeta(store: Store): Promise<StoreMeta> {
  const meta = await store.read.meta.read();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row was not written.");
  return meta;
}
