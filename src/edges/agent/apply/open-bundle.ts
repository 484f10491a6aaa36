/**
 * Opens what claims to be a bundle, and checks it before any of it is used, in this order: sealed to us (JWE), signed by
 * the pinned key (JWS), a message that we know (schema), for this agent, of this store, asked for by this request
 * (nonce), of our epoch, not older than what was accepted, and not another one of the same number.
 *
 * A higher epoch is taken with the signed entries alone by which a person began it, each since ours: a restored copy of the
 * store has the same bundle key, so the signature over the bundle alone would let it take over.
 */
import { LockstepError } from "../../../core/errors.ts";
import { compareOrder, type Order } from "../../../core/order.ts";
import { openMessage } from "../../../protocol/agent/envelope.ts";
import { leadTo } from "../../../protocol/agent/epoch.ts";
import { type BundleAnswer, bundleAnswer } from "../../../protocol/agent/messages.ts";
import type { Identity } from "../identity/identity.ts";

export interface Expected {
  readonly identity: Identity;
  readonly nonce: string;
  /** The highest that was accepted from this store; null: none yet. */
  readonly accepted: Order | null;
}

/** Throws BUNDLE_REFUSED. */
export async function openBundle(sealed: string, expected: Expected): Promise<BundleAnswer> {
  const { identity, nonce, accepted } = expected;
  const content = await openMessage(sealed, {
    decryptWith: identity.encryptKey,
    signedBy: identity.bundleKey,
  });
  if (content === null) throw refused("it is not sealed to this agent, or not signed by its server");
  const parsed = bundleAnswer.safeParse(content);
  if (!parsed.success) throw refused("it is of a form that this release does not know");
  const { data } = parsed;
  if (data.agentId !== identity.agentId) throw refused("it was made for another agent");
  if (data.storeId !== identity.storeId) throw refused("it comes from another store");
  if (data.nonce !== nonce) throw refused("it is the answer to an earlier request");
  const own = accepted?.storeId === data.storeId ? accepted : null;
  const known = Math.max(identity.epoch, own?.epoch ?? 0);
  if (data.epoch < known) throw refused("it is from before the store was restored");
  if (data.epoch > known) await assertBegun(data, identity, known);
  if (own !== null) assertInOrder(data, own);
  return data;
}

async function assertBegun(data: BundleAnswer, identity: Identity, known: number): Promise<void> {
  const entries = data.kind === "bundle" ? (data.epochs ?? []) : [];
  const way = { storeId: identity.storeId, from: known, to: data.epoch, signedBy: identity.bundleKey };
  if (await leadTo(entries, way)) return;
  throw refused(
    `it is of epoch ${data.epoch}, and no signed entry says that somebody began that after epoch ${known}`,
    "If the store was restored: `lockstep epoch begin` there. Or enroll again: `lockstep agent invite TARGET` there, `lockstep agent enroll` here.",
  );
}

function assertInOrder(data: BundleAnswer, accepted: Order): void {
  const { storeId, epoch, generation } = data;
  // That nothing changed is said of what is held, whatever that is.
  const digest = data.kind === "bundle" ? data.orderDigest : accepted.digest;
  const verdict = compareOrder({ storeId, epoch, generation, digest }, accepted);
  if (verdict === "older")
    throw refused(
      `its generation ${generation} is lower than ${accepted.generation}, which was accepted before`,
    );
  if (verdict === "disputed")
    throw refused(`its generation ${generation} was accepted before with something else in it`);
}

function refused(why: string, hint?: string): LockstepError {
  return new LockstepError(
    "BUNDLE_REFUSED",
    `A bundle was dropped: ${why}.`,
    hint === undefined ? {} : { hint },
  );
}
