/**
 * Counts the uses of values and who made them. Bounded: callers choose their names, and a source may change as often
 * as it likes. A value that left its slots is forgotten; its id and its counts stay for an hour, so that an asker who
 * comes every few minutes misses none.
 */
import { createHash, randomUUID } from "node:crypto";
import type { Slot, Values } from "../source/values.ts";
import type { GoneUsage, SlotUsage, UsageReport, UseCount, ValueUsage } from "./usage-report.ts";

const KEEP_GONE_MS = 3_600_000;
const MAX_GONE = 32;
const OTHER = "other";
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

interface Entry {
  readonly id: string;
  readonly value: string;
  readonly heldSinceMs: number;
  readonly total: Tally;
  readonly callers: Map<string, Tally>;
}

interface Tally {
  count: number;
  lastMs: number | null;
}

type Slots = Readonly<Record<Slot, Entry | null>>;

/** The name as it is counted: up to 64 letters, digits, `.`, `_`, `-`. `null` for anything else. */
export function callerName(written: string | undefined): string | null {
  return written !== undefined && NAME.test(written) ? written : null;
}

export class UseLedger {
  readonly #name: string;
  readonly #maxCallers: number;
  readonly #sinceMs = Date.now();
  readonly #refused = newTally();
  readonly #known = new Set<string>();
  #slots: Slots = { primary: null, fallback: null };
  #gone: readonly { readonly usage: GoneUsage; readonly leftMs: number }[] = [];

  constructor(name: string, maxCallers: number) {
    this.#name = name;
    this.#maxCallers = maxCallers;
  }

  /** Carries the entries of values that stay, in whichever slot; opens and closes the others. */
  hold({ primary, fallback }: Values): void {
    const before = this.#entries();
    const first = this.#entryFor(primary, before);
    const second = this.#entryFor(fallback, first === null ? before : [first, ...before]);
    this.#slots = { primary: first, fallback: second };
    const leftMs = Date.now();
    const left = before.filter((entry) => entry !== first && entry !== second);
    const gone = left.map((entry) => ({ usage: { ...usageOf(entry), leftAt: iso(leftMs) }, leftMs }));
    this.#gone = [...this.#gone, ...gone].slice(-MAX_GONE);
  }

  /** `caller` as it was written: nothing, a proper name, or anything. */
  use(slot: Slot, caller: string | undefined): void {
    const entry = this.#slots[slot];
    if (entry === null) return;
    add(entry.total);
    if (caller === undefined) return;
    const name = this.#boundedName(caller);
    const tally = entry.callers.get(name) ?? newTally();
    entry.callers.set(name, tally);
    add(tally);
  }

  refuse(): void {
    add(this.#refused);
  }

  /** Throws a TypeError when the nonce is not the base64url of 32 bytes. */
  report(nonce: string | undefined): UsageReport {
    const bytes = nonce === undefined ? null : nonceBytes(nonce);
    const now = Date.now();
    this.#gone = this.#gone.filter(({ leftMs }) => now - leftMs < KEEP_GONE_MS);
    const slot = (entry: Entry | null): SlotUsage | null =>
      entry === null
        ? null
        : { ...usageOf(entry), answer: bytes === null ? null : answer(bytes, entry.value) };
    return {
      v: 1,
      name: this.#name,
      since: iso(this.#sinceMs),
      at: iso(now),
      nonce: nonce ?? null,
      slots: { primary: slot(this.#slots.primary), fallback: slot(this.#slots.fallback) },
      gone: this.#gone.map(({ usage }) => usage),
      refused: { count: this.#refused.count, lastAt: isoOrNull(this.#refused.lastMs) },
    };
  }

  #entries(): readonly Entry[] {
    const { primary, fallback } = this.#slots;
    return [...new Set([primary, fallback])].filter((entry) => entry !== null);
  }

  #entryFor(value: string | undefined, known: readonly Entry[]): Entry | null {
    if (value === undefined) return null;
    const opened = {
      id: randomUUID(),
      value,
      heldSinceMs: Date.now(),
      total: newTally(),
      callers: new Map(),
    };
    return known.find((entry) => entry.value === value) ?? opened;
  }

  #boundedName(written: string): string {
    const name = callerName(written);
    if (name === null) return OTHER;
    if (!this.#known.has(name) && this.#known.size >= this.#maxCallers) return OTHER;
    this.#known.add(name);
    return name;
  }
}

function newTally(): Tally {
  return { count: 0, lastMs: null };
}

function add(tally: Tally): void {
  tally.count += 1;
  tally.lastMs = Date.now();
}

function usageOf({ id, heldSinceMs, total, callers }: Entry): ValueUsage {
  return {
    id,
    heldSince: iso(heldSinceMs),
    ...countOf(total),
    callers: Object.fromEntries([...callers].map(([name, tally]) => [name, countOf(tally)])),
  };
}

function countOf({ count, lastMs }: Tally): UseCount {
  return { count, lastUsedAt: isoOrNull(lastMs) };
}

function nonceBytes(nonce: string): Buffer {
  const bytes = Buffer.from(nonce, "base64url");
  // Decoding drops what it does not know, so only the way back tells.
  if (bytes.length !== 32 || bytes.toString("base64url") !== nonce) {
    throw new TypeError("the nonce is not the base64url of 32 bytes");
  }
  return bytes;
}

function answer(nonce: Buffer, value: string): string {
  return createHash("sha256").update(nonce).update(value, "utf8").digest("hex");
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : iso(ms);
}
