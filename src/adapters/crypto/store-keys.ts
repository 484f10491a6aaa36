/**
 * Opens a store's keys at start: the root key, checked against the store's key check, and the fingerprint key.
 *
 *   store empty, no key file     both are made
 *   store empty, key file given  the file's key is used
 *   store known, no key file     ROOT_KEY_MISSING
 *   store known, other key       ROOT_KEY_WRONG
 *
 * Changing the root key: every process starts with the new file and the old one as `previousRootKeyFile`; `rewrap`
 * moves what is stored; then the old file is no longer named. A process may die anywhere between. The store names the
 * key that it is sealed under and takes no text under another: all seal under the old one until `rewrap` begins, then
 * under the new one, and a process that was left behind with the old one alone writes nothing.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { fingerprintKeyAssociatedData, keyCheckAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import type { Fingerprinter, Sealer } from "../../core/ports/sealer.ts";
import type { StoreMeta } from "../../core/ports/store/meta.ts";
import type { Store } from "../../core/ports/store/store.ts";
import { createFingerprinter, newFingerprintKey } from "./fingerprint.ts";
import { createLocalKeyRing } from "./local-key-ring.ts";
import { createRootKey, readRootKey } from "./root-key-file.ts";
import { createSealer, type SealingKey } from "./sealer.ts";

const KEY_CHECK = "lockstep root key";

export interface StoreKeys {
  /** The one given. When it refuses a text because its key changed meanwhile, the transaction runs again with the new one. */
  readonly store: Store;
  readonly storeId: string;
  /** Names the root key under which everything is sealed from now on. */
  readonly rootKeyId: string;
  readonly sealer: Sealer;
  readonly fingerprinter: Fingerprinter;
}

export interface StoreKeyOptions {
  /** Only opens, until `rewrap` has moved everything to the root key. A named file must exist. */
  readonly previousRootKeyFile?: string | null;
}

/** Throws ROOT_KEY_MISSING, ROOT_KEY_WRONG, SEALED_UNREADABLE. */
export async function openStoreKeys(
  store: Store,
  rootKeyFile: string,
  { previousRootKeyFile = null }: StoreKeyOptions = {},
): Promise<StoreKeys> {
  const known = await store.read.meta.read();
  if (known === null) return setUp(store, rootKeyFile);
  const rootKey = await mustRead(rootKeyFile);
  const previous = previousRootKeyFile === null ? [] : [await mustRead(previousRootKeyFile)];
  return openKnown(store, known, createLocalKeyRing([rootKey, ...previous]));
}

async function mustRead(path: string): Promise<Uint8Array> {
  const rootKey = await readRootKey(path);
  if (rootKey !== null) return rootKey;
  throw new LockstepError("ROOT_KEY_MISSING", `Cannot open the store: its root key file ${path} is missing.`);
}

async function setUp(store: Store, rootKeyFile: string): Promise<StoreKeys> {
  // The row is gone although values are there: a new key would make them look like somebody else's.
  if (await store.read.meta.holdsSealedData()) {
    const meanwhile = await store.read.meta.read();
    // Another process set it up between our two looks, and made the key's file before.
    if (meanwhile !== null)
      return openKnown(store, meanwhile, createLocalKeyRing([await mustRead(rootKeyFile)]));
    throw new LockstepError(
      "SEALED_UNREADABLE",
      "The store holds sealed values but has lost its identity row.",
    );
  }
  const given = await readRootKey(rootKeyFile);
  const made = given === null ? await createRootKey(rootKeyFile) : null;
  // Null twice: another process made the file in between.
  const keyRing = createLocalKeyRing([given ?? made ?? (await mustRead(rootKeyFile))]);
  try {
    await createMeta(store, createSealer(keyRing));
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "ALREADY_EXISTS") throw error;
    return joinOther(store, keyRing, made === null ? null : rootKeyFile);
  }
  return openKnown(store, await readMeta(store), keyRing);
}

/** Another process set the store up meanwhile: fine with the same key; a key made here for nothing is taken away. */
async function joinOther(store: Store, keyRing: KeyRing, madeFile: string | null): Promise<StoreKeys> {
  try {
    return await openKnown(store, await readMeta(store), keyRing);
  } catch (error) {
    if (madeFile !== null && error instanceof LockstepError && error.code === "ROOT_KEY_WRONG") {
      await rm(madeFile, { force: true });
    }
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

async function openKnown(store: Store, meta: StoreMeta, keyRing: KeyRing): Promise<StoreKeys> {
  const sealing = followSealingKey(store, meta.sealingKeyId);
  const sealer = createSealer(keyRing, sealing);
  await checkKey(meta, sealer);
  const key = await sealer.open(meta.fingerprintKeySealed, fingerprintKeyAssociatedData(meta.storeId));
  return {
    store: retrying(store, sealing),
    storeId: meta.storeId,
    rootKeyId: keyRing.keyId,
    sealer,
    fingerprinter: createFingerprinter(key),
  };
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

async function checkKey(meta: StoreMeta, sealer: Sealer): Promise<void> {
  const bound = keyCheckAssociatedData(meta.storeId);
  const opened = await sealer.open(meta.keyCheck, bound).catch(() => null);
  // In the middle of a `rewrap` two keys are needed: the check's own, which moves last, and the one in use.
  if (opened === KEY_CHECK && sealer.keyIds.includes(meta.sealingKeyId)) return;
  throw new LockstepError(
    "ROOT_KEY_WRONG",
    opened === KEY_CHECK
      ? "Cannot open the store: it is being moved to another root key than the one given."
      : "Cannot open the store: the root key is not the one that it was made with.",
    sealer.keyIds.includes(meta.sealingKeyId) && opened === null
      ? {
          hint: "If `rewrap` has not ended, name the key before as well (LOCKSTEP_PREVIOUS_ROOT_KEY_FILE). Otherwise give the key file that this store was made with (LOCKSTEP_ROOT_KEY_FILE).",
        }
      : {},
  );
}

async function readMeta(store: Store): Promise<StoreMeta> {
  const meta = await store.read.meta.read();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row was not written.");
  return meta;
}
