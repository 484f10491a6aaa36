/** Where the rings come from whose keys open a store. */
import { rm } from "node:fs/promises";
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import { createLocalKeyRing } from "./local-key-ring.ts";
import { createRootKey, readRootKey } from "./root-key-file.ts";

export interface RingSource {
  /** For a store that holds something: nothing is ever made. Throws ROOT_KEY_MISSING, ROOT_KEY_WRONG. */
  open(): Promise<KeyRing>;
  /**
   * For an empty store. `takeBack` undoes what was made for it, because another process set the store up meanwhile
   * with another key.
   */
  openOrMake(): Promise<{ readonly ring: KeyRing; takeBack(): Promise<void> }>;
}

export function rootKeyFile(path: string): RingSource {
  return {
    open: async () => createLocalKeyRing(await mustRead(path)),
    async openOrMake() {
      const given = await readRootKey(path);
      const made = given === null ? await createRootKey(path) : null;
      return {
        // Null twice: another process made the file in between.
        ring: createLocalKeyRing(given ?? made ?? (await mustRead(path))),
        takeBack: async () => {
          if (made !== null) await rm(path, { force: true });
        },
      };
    },
  };
}

/** A ring that is kept elsewhere: nothing is read, made or taken back here. Its key must be there. */
export function keptElsewhere(ring: KeyRing): RingSource {
  return { open: async () => ring, openOrMake: async () => ({ ring, takeBack: async () => {} }) };
}

async function mustRead(path: string): Promise<Uint8Array> {
  const rootKey = await readRootKey(path);
  if (rootKey !== null) return rootKey;
  throw new LockstepError("ROOT_KEY_MISSING", `Cannot open the store: its root key file ${path} is missing.`);
}
