/**
 * The order of what a target is given. Its digest has two halves: a code over what is held under the number (slots and
 * values), and one over number and first half. Both are made with a key that only the store has: a mark that a file's
 * owner reads tells no value, also of a short secret, and nobody else can make a mark of an order that was never given.
 */
import { LockstepError } from "../../core/errors.ts";
import { CONTENT_DIGITS, type Order } from "../../core/order.ts";
import type { DesiredSlot } from "../../core/reconcile/plan-change.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";

type Keys = Pick<AppContext, "fingerprinter" | "storeId" | "sameValue">;

type Held = Pick<DesiredSlot, "placement" | "key" | "slot" | "secretId" | "version" | "value">;

/** Of what the slots say. Keys that go are not in it: they are gone after the first try of the same number. */
export function orderOf(
  keys: Keys,
  target: Pick<TargetRecord, "id" | "epoch" | "generation">,
  slots: readonly Held[],
): Order {
  const lines = slots.map(({ placement, key, slot, secretId, version, value }) =>
    JSON.stringify([placement, key, slot, secretId, version, value.reveal()]),
  );
  return orderOver(keys, target, lines.sort().join("\n"));
}

/** Of putting back what stood at these placements before, whatever that was. */
export function restoringOrderOf(
  keys: Keys,
  target: Pick<TargetRecord, "id" | "epoch" | "generation">,
  placements: readonly string[],
): Order {
  return orderOver(keys, target, JSON.stringify(["put back", ...placements]));
}

function orderOver(
  keys: Keys,
  { id, epoch, generation }: Pick<TargetRecord, "id" | "epoch" | "generation">,
  held: string,
): Order {
  const first = half(keys, `order/${id}`, held);
  const number = { storeId: keys.storeId, epoch, generation };
  return { ...number, digest: `${first}${secondHalf(keys, number, first)}` };
}

function secondHalf(
  keys: Keys,
  { storeId, epoch, generation }: Omit<Order, "digest">,
  first: string,
): string {
  return half(keys, "order", `${storeId}.${epoch}.${generation}.${first}`);
}

function half({ fingerprinter }: Keys, name: string, text: string): string {
  const code = fingerprinter.fingerprint(name, SecretValue.of(text));
  return Buffer.from(code, "base64url").toString("hex").slice(0, CONTENT_DIGITS);
}

/** Whether this store, or what it was before it was set back, gave it: nobody else can make its digest. */
export function isGenuine(keys: Keys, { digest, ...number }: Order): boolean {
  if (digest === null) return false;
  const expected = secondHalf(keys, number, digest.slice(0, CONTENT_DIGITS));
  return keys.sameValue(SecretValue.of(digest.slice(CONTENT_DIGITS)), SecretValue.of(expected));
}

/** Nothing shows that the store gave it: that place alone is left as it is. */
export function notGenuine(target: string, { digest }: Order): LockstepError {
  const why =
    digest === null
      ? "is newer than what this store gave, and of a release that did not sign it"
      : "was not made by this store";
  return new LockstepError(
    "ORDER_REFUSED",
    `Cannot go by the mark at target "${target}": it bears this store's name and ${why}.`,
    {
      hint: "Compare what stands there with what should. If it is right, remove the mark: the file's `.order` in ~/.lockstep there, or LOCKSTEP_REV.",
    },
  );
}
