/**
 * A key ring over a key in Vault's Transit, which never leaves Vault.
 *
 *   key id       <16 characters of a digest over namespace, mount and key>-v<version>
 *   plaintext    the data key ‖ SHA-256(associated data), which is compared on the way back
 *   wrapped      the bytes behind `vault:v<version>:`
 *
 * The address is in no digest, because servers move to other names: a wrong server fails at the store's key check. The
 * associated data goes into the plaintext, because old servers ignore Transit's own, and none rewraps with it.
 *
 * Concurrent calls go out as one request. What fails is told in words of ours (`transit-refusals.ts`).
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import { formatKeyId, parseKeyId } from "../../core/key-id.ts";
import type { KeyRing, KeyRisk } from "../../core/ports/key-ring.ts";
import { type Gathered, gatherCalls } from "../../lib/gather-calls.ts";
import { pause } from "../../lib/pause.ts";
import { VaultFailure } from "../vault/failure.ts";
import type { BatchResult, Transit, TransitKey, TransitKeyName } from "../vault/transit.ts";
import { wrongRootKey } from "./local-key-ring.ts";
import { garbled, notInTime, refusalOf, unsuitableKey } from "./transit-refusals.ts";

/** OpenBao takes 1000 strings in one request, names of fields included. */
const MAX_ITEMS = 200;
const MAX_AT_ONCE = 4;
/** Somebody may wait with rows locked. */
const ANSWER_WITHIN_MS = 10_000;
const DEFAULT_PAUSE_MS = 500;

const KEY_BYTES = 32;
/** Each of them seals and opens without anything but the text. */
const KEY_TYPES: ReadonlySet<string> = new Set(["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305"]);
const OF_NO_KEY = `vault:v1:${Buffer.alloc(60).toString("base64")}`;
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):([A-Za-z0-9+/]{4,}={0,2})$/;

export interface TransitRing extends TransitKeyName {
  readonly transit: Transit;
  /** Null: the root namespace. */
  readonly namespace: string | null;
}

export function createTransitKeyRing({ transit, namespace, mount, key }: TransitRing): KeyRing {
  const path = [...(namespace === null ? [] : [namespace]), mount, key].join("/");
  const name = `vault-transit ${path}`;
  const base = keyBase(namespace, mount, key);
  const place = { name, mount, key };

  /** One request, again while Vault only asks for patience. */
  async function ask<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    for (;;) {
      try {
        return await call(signal);
      } catch (error) {
        if (!(error instanceof VaultFailure)) throw signal.aborted ? notInTime(place) : error;
        if (error.verdict !== "rate-limited" && error.verdict !== "behind") throw error;
        await pause(error.retryAfterMs ?? DEFAULT_PAUSE_MS, signal);
        if (signal.aborted) throw error;
      }
    }
  }

  const inBatches = <In, Out>(
    call: (items: readonly In[], signal: AbortSignal) => Promise<readonly BatchResult<Out>[]>,
  ): ((item: In) => Promise<Out>) =>
    gatherCalls(
      async (items) => {
        await assertSuitable();
        const results = await ask((signal) => call(items, signal));
        return results.map((result): Gathered<Out> => ("ok" in result ? result : { error: result.failure }));
      },
      { maxItems: MAX_ITEMS, maxAtOnce: MAX_AT_ONCE },
    );
  const encrypt = inBatches<Uint8Array, string>((items, signal) => transit.encrypt(items, signal));
  const decrypt = inBatches<string, Uint8Array>((items, signal) => transit.decrypt(items, signal));

  /** Null: the token may not read the key, and whatever it says otherwise is taken. */
  async function readKey(): Promise<TransitKey | null> {
    try {
      return await ask((signal) => transit.readKey(signal));
    } catch (error) {
      if (error instanceof VaultFailure && error.verdict === "permission") return null;
      throw error;
    }
  }

  let isSuitable = false;
  /** Once: a key's type and derivation are for ever. */
  async function assertSuitable(): Promise<void> {
    if (isSuitable) return;
    const found = await readKey();
    if (found === null) await assertThere();
    else if (found.derived || !KEY_TYPES.has(found.type)) throw unsuitableKey(place, found);
    isSuitable = true;
  }

  /** By a text that no key opens: sealing would make a key that is missing, where the token has the right. */
  async function assertThere(): Promise<void> {
    const [answer] = await ask((signal) => transit.decrypt([OF_NO_KEY], signal));
    if (answer !== undefined && "failure" in answer && answer.failure.trouble === "missing")
      throw answer.failure;
  }

  const inWords = async <T>(what: string, version: number | null, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw error instanceof VaultFailure ? refusalOf(place, what, version, error) : error;
    }
  };

  const wrap: KeyRing["wrap"] = (dataKey, associatedData) =>
    inWords("seal", null, async () => {
      const ciphertext = await encrypt(Buffer.concat([dataKey, digestOf(associatedData)]));
      const match = CIPHERTEXT.exec(ciphertext);
      const wrapped = Buffer.from(match?.[2] ?? "", "base64");
      // Spare bits in the last character would not come back.
      if (match === null || wrapped.toString("base64") !== match[2]) throw garbled(place, "seal");
      return { keyId: formatKeyId({ base, version: Number(match[1]) }), wrapped };
    });

  return {
    name,
    rootKeyId: null,
    holds: (keyId) => parseKeyId(keyId).base === base && parseKeyId(keyId).version > 0,
    // Needs no right of its own, unlike reading the key.
    current: async () => (await wrap(randomBytes(KEY_BYTES), "lockstep/current/v1")).keyId,
    wrap,

    unwrap(wrapped, keyId, associatedData) {
      const { base: of, version } = parseKeyId(keyId);
      if (of !== base || version === 0) return Promise.reject(wrongRootKey(keyId));
      return inWords("open", version, async () => {
        const plain = await decrypt(`vault:v${version}:${Buffer.from(wrapped).toString("base64")}`);
        return openedKey(plain, associatedData);
      });
    },

    look: () =>
      inWords("ask for its key", null, async () => {
        const found = await readKey();
        return found === null
          ? { oldestOpened: null, risks: [] }
          : { oldestOpened: found.minDecryptionVersion, risks: risksOf(found) };
      }),
  };
}

/** Names namespace, mount and key; tells nothing of the key itself. */
function keyBase(namespace: string | null, mount: string, key: string): string {
  return createHash("sha256")
    .update("lockstep/transit-key-id/v1\0")
    .update(JSON.stringify([namespace ?? "", mount, key]))
    .digest("base64url")
    .slice(0, 16);
}

function digestOf(associatedData: string): Uint8Array {
  return createHash("sha256").update(associatedData).digest();
}

/** Throws SEALED_UNREADABLE for a key that was wrapped for another row. */
function openedKey(plain: Uint8Array, associatedData: string): Uint8Array {
  const digest = digestOf(associatedData);
  if (plain.length === KEY_BYTES + digest.length && timingSafeEqual(plain.subarray(KEY_BYTES), digest))
    return plain.subarray(0, KEY_BYTES);
  throw new LockstepError(
    "SEALED_UNREADABLE",
    "A sealed value does not open: its key was wrapped for another row.",
  );
}

function risksOf(found: TransitKey): readonly KeyRisk[] {
  return [
    ...(found.deletionAllowed ? (["deletion-allowed"] as const) : []),
    ...(found.exportable ? (["exportable"] as const) : []),
    ...(found.allowPlaintextBackup ? (["plaintext-backup"] as const) : []),
  ];
}
