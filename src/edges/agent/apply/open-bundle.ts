/**
 * Opens what claims to be a bundle, and checks it before any of it is used, in this order: sealed to us (JWE), signed by
 * the pinned key (JWS), a message that we know (schema), for this agent, of this store, asked for by this request
 * (nonce), of our epoch, not older than what was accepted.
 *
 * A higher epoch, which a restored store has, is refused as well: its bundle key is the same key, so the signature alone
 * would let a restored copy of the store take over. The new epoch comes in by a new enrolment, a person's act.
 */
import { LockstepError } from "../../../core/errors.ts";
import { openMessage } from "../../../protocol/agent/envelope.ts";
import { type BundleAnswer, bundleAnswer } from "../../../protocol/agent/messages.ts";
import type { Identity } from "../identity/identity.ts";

export interface Expected {
  readonly identity: Identity;
  readonly nonce: string;
  /** The highest that was accepted from this store; null: none yet. */
  readonly accepted: { readonly storeId: string; readonly epoch: number; readonly generation: number } | null;
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
  if (data.epoch > identity.epoch) {
    throw refused(
      `its store was restored since (epoch ${data.epoch}, enrolled at ${identity.epoch})`,
      "If that is so, enroll this agent again: `lockstep agent invite TARGET` there, `lockstep agent enroll` here.",
    );
  }
  if (data.epoch < identity.epoch) throw refused("it is from before the store was restored");
  if (accepted?.storeId === data.storeId && isOlder(data, accepted)) {
    throw refused(
      `its generation ${data.generation} is lower than ${accepted.generation}, which was accepted before`,
    );
  }
  return data;
}

function isOlder(
  ours: { readonly epoch: number; readonly generation: number },
  than: { readonly epoch: number; readonly generation: number },
): boolean {
  return ours.epoch < than.epoch || (ours.epoch === than.epoch && ours.generation < than.generation);
}

function refused(why: string, hint?: string): LockstepError {
  return new LockstepError(
    "BUNDLE_REFUSED",
    `A bundle was dropped: ${why}.`,
    hint === undefined ? {} : { hint },
  );
}
