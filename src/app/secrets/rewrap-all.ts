/**
 * Moves everything that is sealed to the present root key: the data keys are wrapped anew, the contents stay.
 *
 *   1  the store names the new key: from this commit on it takes no text under another (whoever seals is waited for)
 *   2  a pass over all texts, page by page
 *   3  the last transaction holds everybody who seals, counts what is left under other keys in every column there is,
 *      and only with nothing left moves the store's own two texts; otherwise another pass, while passes still move some
 *
 * May be repeated, by two at once too, and goes on after a process died in the middle, because each text opens under
 * its own key at every moment. Until the end a start needs both keys: the store's key check moves last.
 */
import type { Actor } from "../../core/actor.ts";
import {
  channelAssociatedData,
  credentialsAssociatedData,
  enrolmentAssociatedData,
  fingerprintKeyAssociatedData,
  keyCheckAssociatedData,
  storeKeyAssociatedData,
  versionAssociatedData,
} from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SealedText } from "../../core/ports/store/sealed-texts.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { assertNever } from "../../lib/assert-never.ts";
import type { AppContext } from "../context.ts";

const PAGE = 200;

export interface Rewrapped {
  readonly versions: number;
  /** Of targets and of channels. */
  readonly credentials: number;
  /** The store's keys that agents pin, and those of enrolment codes. */
  readonly agentKeys: number;
  /** Do not open under any known key: they stayed as they are. */
  readonly unreadable: readonly UnreadableText[];
  /** Sealed texts under other keys than the present one, as the last transaction counted. 0: no other key is needed. */
  readonly left: number;
}

export type UnreadableText =
  | { readonly kind: "version"; readonly secretId: string; readonly version: number }
  | { readonly kind: "credentials"; readonly targetId: string }
  | { readonly kind: "store-key"; readonly name: string }
  | { readonly kind: "enrolment"; readonly enrolmentId: string }
  | { readonly kind: "channel"; readonly name: string };

type Moved = Omit<Rewrapped, "left">;

interface Page extends Moved {
  readonly last: SealedText | null;
}

/**
 * Throws ROOT_KEY_CHANGED when the store is sealed under a key that this process lacks, SEALED_UNREADABLE when the
 * store's own keys do not open.
 */
export async function rewrapAll(context: AppContext, actor: Actor): Promise<Rewrapped> {
  const keyId = await switchKey(context, actor);
  let total: Moved = { versions: 0, credentials: 0, agentKeys: 0, unreadable: [] };
  for (;;) {
    const pass = await rewrapPass(context, actor);
    total = {
      versions: total.versions + pass.versions,
      credentials: total.credentials + pass.credentials,
      agentKeys: total.agentKeys + pass.agentKeys,
      unreadable: pass.unreadable,
    };
    const left = await context.store.transaction((tx) => finish(context, tx, actor, keyId));
    const moved = pass.versions + pass.credentials + pass.agentKeys;
    if (left === 0 || moved === 0) return { ...total, left };
  }
}

async function switchKey(context: AppContext, actor: Actor): Promise<string> {
  const { keyIds } = context.sealer;
  const [keyId = ""] = keyIds;
  await context.store.transaction(async (tx) => {
    const before = await tx.meta.read();
    if (before?.sealingKeyId === keyId) return;
    if (!(await tx.meta.switchSealingKey(keyId, keyIds))) throw leftBehind();
    await record(context, tx, actor, { keyId });
  });
  await context.sealer.assertCurrent();
  return keyId;
}

function leftBehind(): LockstepError {
  return new LockstepError(
    "ROOT_KEY_CHANGED",
    "Cannot rewrap: the store is sealed under a root key that this process does not have.",
  );
}

async function rewrapPass(context: AppContext, actor: Actor): Promise<Moved> {
  let total: Moved = { versions: 0, credentials: 0, agentKeys: 0, unreadable: [] };
  let after: SealedText | null = null;
  do {
    const from: SealedText | null = after;
    const page: Page = await context.store.transaction((tx) => rewrapPage(context, tx, actor, from));
    total = {
      versions: total.versions + page.versions,
      credentials: total.credentials + page.credentials,
      agentKeys: total.agentKeys + page.agentKeys,
      unreadable: [...total.unreadable, ...page.unreadable],
    };
    after = page.last;
  } while (after !== null);
  return total;
}

async function rewrapPage(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  after: SealedText | null,
): Promise<Page> {
  const texts = await tx.sealedTexts.page(after, PAGE);
  const counts = { version: 0, credentials: 0, "store-key": 0, enrolment: 0, channel: 0 };
  const unreadable: UnreadableText[] = [];
  for (const text of texts) {
    const sealed = await rewrapOne(context, text);
    if (sealed === null) unreadable.push(nameOf(text));
    else if (sealed !== text.sealed && (await tx.sealedTexts.replace(text, sealed))) counts[text.kind] += 1;
  }
  if (Object.values(counts).some((count) => count > 0)) {
    await record(context, tx, actor, { ...counts, unreadable: unreadable.length });
  }
  return {
    versions: counts.version,
    credentials: counts.credentials + counts.channel,
    agentKeys: counts["store-key"] + counts.enrolment,
    unreadable,
    last: texts.at(-1) ?? null,
  };
}

/** Null: it does not open. One damaged row must not keep the others on the old key. */
async function rewrapOne(context: AppContext, text: SealedText): Promise<string | null> {
  try {
    return await context.sealer.rewrap(text.sealed, associatedDataOf(context, text));
  } catch (error) {
    if (error instanceof LockstepError && error.family === "integrity") return null;
    throw error;
  }
}

function associatedDataOf(context: AppContext, text: SealedText): string {
  switch (text.kind) {
    case "version":
      return versionAssociatedData(text.secretId, text.version);
    case "credentials":
      return credentialsAssociatedData(text.targetId, text.destination);
    case "store-key":
      return storeKeyAssociatedData(context.storeId, text.name);
    case "enrolment":
      return enrolmentAssociatedData(text.enrolmentId);
    case "channel":
      return channelAssociatedData(text.name, text.destination);
    default:
      return assertNever(text);
  }
}

/** Answers how many texts are left under other keys. */
async function finish(context: AppContext, tx: Repositories, actor: Actor, keyId: string): Promise<number> {
  const meta = await tx.meta.lock();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row is missing.");
  if (meta.sealingKeyId !== keyId) throw leftBehind();
  const { sealer } = context;
  const fingerprintKey = await sealer.rewrap(
    meta.fingerprintKeySealed,
    fingerprintKeyAssociatedData(meta.storeId),
  );
  const keyCheck = await sealer.rewrap(meta.keyCheck, keyCheckAssociatedData(meta.storeId));
  await tx.meta.replaceFingerprintKey(fingerprintKey);
  const own = keyCheck === meta.keyCheck ? 0 : 1;
  const left = (await countLeft(tx, keyId)) - own;
  if (left > 0) return left;
  await tx.meta.replaceKeyCheck(keyCheck);
  // Nobody believes a subtraction: the same transaction counts once more what stands there now.
  const counted = await countLeft(tx, keyId);
  if (counted > 0) throw new LockstepError("INTERNAL", "A sealed text stayed under another root key.");
  if (own > 0) await record(context, tx, actor, { complete: true });
  return 0;
}

async function countLeft(tx: Repositories, keyId: string): Promise<number> {
  const counts = await tx.sealedTexts.countByKey();
  return [...counts].reduce((sum, [under, count]) => (under === keyId ? sum : sum + count), 0);
}

function nameOf(text: SealedText): UnreadableText {
  switch (text.kind) {
    case "version":
      return { kind: text.kind, secretId: text.secretId, version: text.version };
    case "credentials":
      return { kind: text.kind, targetId: text.targetId };
    case "store-key":
      return { kind: text.kind, name: text.name };
    case "enrolment":
      return { kind: text.kind, enrolmentId: text.enrolmentId };
    case "channel":
      return { kind: text.kind, name: text.name };
    default:
      return assertNever(text);
  }
}

function record(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  details: Readonly<Record<string, number | boolean | string>>,
): Promise<void> {
  return tx.audit.append({
    action: "store.rewrapped",
    actor,
    subject: { kind: "store", id: context.storeId, name: "store" },
    details,
  });
}
