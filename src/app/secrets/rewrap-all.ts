/**
 * Moves everything that is sealed to the wanted ring's key, in its newest version: the data keys are wrapped anew, the
 * contents stay.
 *
 *   1  the store names the new key: from this commit on it takes no text under another (whoever seals is waited for)
 *   2  a pass over all texts, page by page
 *   3  the last transaction holds everybody who seals, counts what is left under other keys in every column there is,
 *      and only with nothing left moves the store's own two texts; otherwise another pass, while passes still move some
 *
 * A ring may be far away, so it is asked before a transaction and never within one: what was sealed anew replaces the
 * text that it was made of, and nothing newer.
 *
 * May be repeated, by two at once too, and goes on after a process died in the middle, because each text opens under
 * its own key at every moment. Until the end a start needs both keys: the store's key check moves last. A key that is
 * rotated meanwhile does no harm: its newer versions are well.
 */
import type { Actor } from "../../core/actor.ts";
import { fingerprintKeyAssociatedData, keyCheckAssociatedData } from "../../core/associated-data.ts";
import { LockstepError } from "../../core/errors.ts";
import { isAtLeast } from "../../core/key-id.ts";
import type { StoreMeta } from "../../core/store/meta.ts";
import type { SealedText } from "../../core/store/sealed-texts.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { associatedDataOf, nameOf, type UnreadableText } from "./sealed-texts.ts";

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
  /** Values that are kept elsewhere: none of them is sealed here, nor moved by this. */
  readonly elsewhere: number;
  /** The ring that everything is sealed by now, for people, with the key's version: `vault-transit transit/lockstep v3`. */
  readonly ring: string;
}

type Moved = Omit<Rewrapped, "elsewhere" | "left" | "ring">;

interface Page extends Moved {
  readonly last: SealedText | null;
}

/** What a text must be sealed under at least; moved on when another run finds a newer version. */
interface Aim {
  keyId: string;
}

/**
 * Throws ROOT_KEY_CHANGED when the store is sealed under a key that this process lacks, SEALED_UNREADABLE when the
 * store's own keys do not open, KEY_RING_UNAVAILABLE or KEY_RING_REFUSED when a ring is away: run it again then.
 */
export async function rewrapAll(context: AppContext, actor: Actor): Promise<Rewrapped> {
  const aim: Aim = { keyId: await switchKey(context, actor) };
  let total: Moved = { versions: 0, credentials: 0, agentKeys: 0, unreadable: [] };
  for (;;) {
    const pass = await rewrapPass(context, actor, aim);
    total = {
      versions: total.versions + pass.versions,
      credentials: total.credentials + pass.credentials,
      agentKeys: total.agentKeys + pass.agentKeys,
      unreadable: pass.unreadable,
    };
    const { keyId } = aim;
    const left = await finish(context, actor, aim);
    const moved = pass.versions + pass.credentials + pass.agentKeys;
    if (left === 0 || (moved === 0 && aim.keyId === keyId))
      return {
        ...total,
        left,
        elsewhere: await context.store.read.valuePlaces.count("named"),
        ring: ringOf(context, aim.keyId),
      };
  }
}

async function switchKey(context: AppContext, actor: Actor): Promise<string> {
  const { sealer } = context;
  const wanted = await sealer.wantedKeyId();
  const keyId = await context.store.transaction(async (tx) => {
    const meta = await mustLock(tx);
    if (!sealer.opens(meta.sealingKeyId)) throw leftBehind();
    // Another run has seen a newer version meanwhile.
    if (isAtLeast(meta.sealingKeyId, wanted)) return meta.sealingKeyId;
    if (!(await tx.meta.switchSealingKey(wanted, meta.sealingKeyId))) throw leftBehind();
    await record(context, tx, actor, {
      keyId: wanted,
      ring: ringOf(context, wanted),
      from: ringOf(context, meta.sealingKeyId),
    });
    return wanted;
  });
  await sealer.assertCurrent();
  await context.checkpoint("rewrap-begun");
  return keyId;
}

async function mustLock(tx: Repositories): Promise<StoreMeta> {
  const meta = await tx.meta.lock();
  if (meta !== null) return meta;
  throw new LockstepError("INTERNAL", "The store's identity row is missing.");
}

function ringOf({ sealer }: AppContext, keyId: string): string {
  return sealer.ringName(keyId) ?? keyId;
}

function leftBehind(): LockstepError {
  return new LockstepError(
    "ROOT_KEY_CHANGED",
    "Cannot rewrap: the store is sealed under a root key that this process does not have.",
  );
}

async function rewrapPass(context: AppContext, actor: Actor, aim: Aim): Promise<Moved> {
  let total: Moved = { versions: 0, credentials: 0, agentKeys: 0, unreadable: [] };
  let after: SealedText | null = null;
  do {
    const page: Page = await rewrapPage(context, actor, aim, after);
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
  actor: Actor,
  aim: Aim,
  after: SealedText | null,
): Promise<Page> {
  const texts = await context.store.read.sealedTexts.page(after, PAGE);
  for (;;) {
    // Side by side, so that a ring that is far away is asked for all of them at once.
    const sealed = await Promise.all(texts.map((text) => rewrapOne(context, text, aim.keyId)));
    await context.checkpoint("rewrap-sealed");
    try {
      const page = await context.store.transaction((tx) => replacePage(context, tx, actor, texts, sealed));
      await context.checkpoint("rewrap-page");
      return page;
    } catch (error) {
      await aimAnew(context, aim, error);
    }
  }
}

async function replacePage(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  texts: readonly SealedText[],
  sealed: readonly (string | null)[],
): Promise<Page> {
  const counts = { version: 0, credentials: 0, "store-key": 0, enrolment: 0, channel: 0 };
  const unreadable: UnreadableText[] = [];
  for (const [index, text] of texts.entries()) {
    const anew = sealed[index] ?? null;
    if (anew === null) unreadable.push(nameOf(text));
    else if (anew !== text.sealed && (await tx.sealedTexts.replace(text, anew))) counts[text.kind] += 1;
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

/** The store takes newer versions alone since another run began: what was sealed is sealed once more. */
async function aimAnew(context: AppContext, aim: Aim, error: unknown): Promise<void> {
  if (!(error instanceof LockstepError) || error.code !== "ROOT_KEY_CHANGED") throw error;
  const meta = await context.store.read.meta.read();
  if (meta === null || !context.sealer.isWanted(meta.sealingKeyId)) throw leftBehind();
  if (meta.sealingKeyId === aim.keyId) throw error;
  aim.keyId = meta.sealingKeyId;
}

/** Null: it does not open. One damaged row must not keep the others on the old key. */
async function rewrapOne(context: AppContext, text: SealedText, lowest: string): Promise<string | null> {
  try {
    return await context.sealer.rewrap(text.sealed, associatedDataOf(context.storeId, text), lowest);
  } catch (error) {
    if (error instanceof LockstepError && error.family === "integrity") return null;
    throw error;
  }
}

/** Answers how many texts are left under other keys. */
async function finish(context: AppContext, actor: Actor, aim: Aim): Promise<number> {
  for (;;) {
    const own = await rewrapOwn(context, aim.keyId);
    await context.checkpoint("rewrap-own");
    try {
      const left = await context.store.transaction((tx) => countAndEnd(context, tx, actor, aim.keyId, own));
      if (left !== null) return left;
    } catch (error) {
      await aimAnew(context, aim, error);
    }
  }
}

/** The store's own two texts, as they stand and sealed anew. */
interface OwnTexts {
  readonly fingerprintKey: readonly [old: string, anew: string];
  readonly keyCheck: readonly [old: string, anew: string];
}

async function rewrapOwn({ store, sealer }: AppContext, lowest: string): Promise<OwnTexts> {
  const meta = await store.read.meta.read();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row is missing.");
  const { storeId, fingerprintKeySealed, keyCheck } = meta;
  const anew = await Promise.all([
    sealer.rewrap(fingerprintKeySealed, fingerprintKeyAssociatedData(storeId), lowest),
    sealer.rewrap(keyCheck, keyCheckAssociatedData(storeId), lowest),
  ]);
  return { fingerprintKey: [fingerprintKeySealed, anew[0]], keyCheck: [keyCheck, anew[1]] };
}

/** Null: another run has moved the store's own texts meanwhile. */
async function countAndEnd(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  lowest: string,
  { fingerprintKey, keyCheck }: OwnTexts,
): Promise<number | null> {
  const meta = await mustLock(tx);
  if (meta.sealingKeyId !== lowest) throw leftBehind();
  if (meta.fingerprintKeySealed !== fingerprintKey[0] || meta.keyCheck !== keyCheck[0]) return null;
  await tx.meta.replaceFingerprintKey(fingerprintKey[1]);
  const own = keyCheck[0] === keyCheck[1] ? 0 : 1;
  const left = (await countLeft(tx, lowest)) - own;
  if (left > 0) return left;
  await tx.meta.replaceKeyCheck(keyCheck[1]);
  // Nobody believes a subtraction: the same transaction counts once more what stands there now.
  const counted = await countLeft(tx, lowest);
  if (counted > 0) throw new LockstepError("INTERNAL", "A sealed text stayed under another root key.");
  if (own > 0) await record(context, tx, actor, { complete: true, ring: ringOf(context, lowest) });
  return 0;
}

async function countLeft(tx: Repositories, lowest: string): Promise<number> {
  const counts = await tx.sealedTexts.countByKey();
  return [...counts].reduce((sum, [under, count]) => (isAtLeast(under, lowest) ? sum : sum + count), 0);
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
