/**
 * The JSON by which a verifier tells who uses which value: what Lockstep waits for before it retires one.
 *
 * Counts belong to a value, not to a slot: when a value moves from primary to fallback its entry moves along, with
 * its id. An id is random, made when the value arrived, and says nothing about it. Which version an id means, an asker
 * learns by a challenge while the value is held: it sends 32 fresh random bytes, and compares the answer with what its
 * own versions give. Afterwards the id is known, also among the gone. A restart makes new ids and a new `since`.
 *
 * All instants are ISO 8601 in UTC, all counts since `since`.
 */
export interface UsageReport {
  readonly v: 1;
  /** The variable's name. */
  readonly name: string;
  /** When counting began: this process's verifier was made. */
  readonly since: string;
  /** When this was said. */
  readonly at: string;
  /** The challenge that the answers are for, as it was given: base64url. `null` when there was none. */
  readonly nonce: string | null;
  /** `null`: nothing stands in that slot. One value in both slots is one entry, shown twice. */
  readonly slots: { readonly primary: SlotUsage | null; readonly fallback: SlotUsage | null };
  /** Values that left within the last hour; at most 32, the latest ones. */
  readonly gone: readonly GoneUsage[];
  /** Requests that were refused, those without any value included. */
  readonly refused: { readonly count: number; readonly lastAt: string | null };
}

export interface ValueUsage extends UseCount {
  readonly id: string;
  /** When the value was first seen in a slot. */
  readonly heldSince: string;
  /**
   * By caller, as they named themselves: at most `maxCallers` names in the whole report, `other` for those beyond or
   * malformed. Uses without a name are in `count` alone.
   */
  readonly callers: Readonly<Record<string, UseCount>>;
}

export interface SlotUsage extends ValueUsage {
  /** Hex of SHA-256 over the nonce's 32 bytes and then the value's UTF-8 bytes. `null` without a nonce. */
  readonly answer: string | null;
}

export interface GoneUsage extends ValueUsage {
  readonly leftAt: string;
}

export interface UseCount {
  readonly count: number;
  readonly lastUsedAt: string | null;
}
