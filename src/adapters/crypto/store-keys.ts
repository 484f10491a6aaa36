/**
 * Opens a store's keys at start: the root key, checked against the store's key check, and the fingerprint key.
 *
 *   store empty, no key file     both are made
 *   store empty, key file given  the file's key is used
 *   store known, no key file     ROOT_KEY_MISSING
 *   store known, other key       ROOT_KEY_WRONG
 */
import { randomUUID } from "node:crypto";
import { fingerprintKeyAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { Fingerprinter, Sealer } from "../../core/ports/sealer.ts";
import type { StoreMeta } from "../../core/ports/store/meta.ts";
import type { Store } from "../../core/ports/store/store.ts";
import { createFingerprinter, newFingerprintKey } from "./fingerprint.ts";
import { createLocalKeyRing } from "./local-key-ring.ts";
import { createRootKey, readRootKey } from "./root-key-file.ts";
import { createSealer } from "./sealer.ts";

const KEY_CHECK = "lockstep root key";

export interface StoreKeys {
  readonly storeId: string;
  readonly epoch: number;
  readonly sealer: Sealer;
  readonly fingerprinter: Fingerprinter;
}

export async function openStoreKeys(store: Store, rootKeyFile: string): Promise<StoreKeys> {
  const known = await store.read.meta.read();
  const rootKey = await readRootKey(rootKeyFile);
  if (known === null) {
    if (await store.read.meta.holdsSealedData()) {
      throw new LockstepError(
        "SEALED_UNREADABLE",
        "The store holds sealed values but has lost its identity row.",
      );
    }
    const sealer = createSealer(createLocalKeyRing([rootKey ?? (await createRootKey(rootKeyFile))]));
    await createMeta(store, sealer);
    return openKnown(await readMeta(store), sealer);
  }
  if (rootKey === null) {
    throw new LockstepError(
      "ROOT_KEY_MISSING",
      `Cannot open the store: its root key file ${rootKeyFile} is missing.`,
    );
  }
  return openKnown(known, createSealer(createLocalKeyRing([rootKey])));
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

async function openKnown(meta: StoreMeta, sealer: Sealer): Promise<StoreKeys> {
  await checkKey(meta, sealer);
  const key = await sealer.open(meta.fingerprintKeySealed, fingerprintKeyAssociatedData(meta.storeId));
  return { storeId: meta.storeId, epoch: meta.epoch, sealer, fingerprinter: createFingerprinter(key) };
}

async function checkKey(meta: StoreMeta, sealer: Sealer): Promise<void> {
  const opened = await sealer.open(meta.keyCheck, keyCheckAssociatedData(meta.storeId)).catch(() => null);
  if (opened === KEY_CHECK) return;
  throw new LockstepError(
    "ROOT_KEY_WRONG",
    "Cannot open the store: the root key is not the one that it was made with.",
  );
}

async function readMeta(store: Store): Promise<StoreMeta> {
  const meta = await store.read.meta.read();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row was not written.");
  return meta;
}

function keyCheckAssociatedData(storeId: string): string {
  return `lockstep/key-check/${storeId}`;
}
