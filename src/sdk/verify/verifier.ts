/**
 * Accepts the value of either slot, and tells neither by its time: both sides are hashed, and the digest is compared
 * with both slots whatever the first comparison said. An empty slot holds a random digest, so that it costs the same.
 *
 * Attacker: sends guesses and measures. Gain: a value byte by byte, or whether a rotation is under way. What remains:
 * the time of hashing tells how long the guess was, which the attacker knows.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { openSource, type SourceOptions } from "../source/source.ts";
import type { Slot, Values } from "../source/values.ts";
import type { UsageReport } from "./usage-report.ts";
import { callerName, UseLedger } from "./use-ledger.ts";

const MAX_CALLERS = 100;

export interface VerifierOptions extends SourceOptions {
  /** After each accepted use. What it throws is dropped: counting must not refuse anybody. */
  readonly onUse?: (use: Use) => void;
  /** How many callers are counted by name. Default 100. Only accepted uses count, so strangers cannot fill it. */
  readonly maxCallers?: number;
}

export interface Use {
  readonly slot: Slot;
  /** Who it says it is, if it said so properly. Every holder of the value can give any name. */
  readonly caller: string | null;
}

export type Verdict = { readonly accepted: true; readonly slot: Slot } | { readonly accepted: false };

export interface Verifier {
  /** One value in both slots is `primary`. Never throws. */
  verify(presented: string | undefined, about?: { readonly caller?: string | undefined }): Verdict;
  /**
   * Who used what. With a nonce, 32 fresh random bytes as base64url, each slot answers for its value. A nonce is the
   * asker's to use once. Throws a TypeError for another nonce.
   */
  usage(options?: { readonly nonce?: string | undefined }): UsageReport;
  /** Stops following the file. It still verifies, by the last values. */
  close(): void;
}

export function createVerifier(options: VerifierOptions): Verifier {
  return createVerifierWith(options, timingSafeEqual);
}

/** With another comparison, for tests that count. */
export function createVerifierWith(options: VerifierOptions, equal: typeof timingSafeEqual): Verifier {
  const source = openSource(options);
  const ledger = new UseLedger(options.name, options.maxCallers ?? MAX_CALLERS);
  let held: Values = source.read();
  let digests = digestsOf(held);
  ledger.hold(held);

  function refresh(): void {
    const now = source.read();
    if (now.primary === held.primary && now.fallback === held.fallback) return;
    held = now;
    digests = digestsOf(now);
    ledger.hold(now);
  }

  return {
    verify(presented, about = {}) {
      refresh();
      // What comes from JavaScript or a header may be anything.
      const text = typeof presented === "string" ? presented : "";
      const digest = digestOf(text);
      const isPrimary = equal(digest, digests.primary);
      const isFallback = equal(digest, digests.fallback);
      if (text === "" || !(isPrimary || isFallback)) {
        ledger.refuse();
        return { accepted: false };
      }
      const slot = isPrimary ? "primary" : "fallback";
      ledger.use(slot, about.caller);
      try {
        options.onUse?.({ slot, caller: callerName(about.caller) });
      } catch {
        // Promised above.
      }
      return { accepted: true, slot };
    },
    usage({ nonce } = {}) {
      refresh();
      return ledger.report(nonce);
    },
    close: () => source.close(),
  };
}

function digestsOf({ primary, fallback }: Values): Readonly<Record<Slot, Buffer>> {
  const digest = (value: string | undefined) => (value === undefined ? randomBytes(32) : digestOf(value));
  return { primary: digest(primary), fallback: digest(fallback) };
}

/** Over UTF-16, which keeps every JavaScript string apart; UTF-8 makes one of all broken surrogates. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf16le").digest();
}
