/**
 * Moves everything that is sealed to the present root key: the data keys are wrapped anew, the contents stay. May be
 * repeated, and goes on after a process died in the middle, because each text opens under its own key at every moment.
 *
 * The store's key check moves last, and only when nothing stayed behind: until then a start without the previous root
 * key is refused, instead of finding out later that a value does not open.
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
  /** Do not open under any known key: they stayed as they are. Empty: the previous root key is not needed any more. */
  readonly unreadable: readonly UnreadableText[];
}

export type UnreadableText =
  | { readonly kind: "version"; readonly secretId: string; readonly version: number }
  | { readonly kind: "credentials"; readonly targetId: string }
  | { readonly kind: "store-key"; readonly name: string }
  | { readonly kind: "enrolment"; readonly enrolmentId: string }
  | { readonly kind: "channel"; readonly name: string };

interface Page extends Rewrapped {
  readonly last: SealedText | null;
}

/** Throws SEALED_UNREADABLE or ROOT_KEY_WRONG when the store's own keys do not open. */
export async function rewrapAll(context: AppContext, actor: Actor): Promise<Rewrapped> {
  let total: Rewrapped = { versions: 0, credentials: 0, agentKeys: 0, unreadable: [] };
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
  await context.store.transaction((tx) => rewrapOwnKeys(context, tx, actor, total.unreadable.length === 0));
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
    else if (await tx.sealedTexts.replace(text, sealed)) counts[text.kind] += 1;
  }
  if (texts.length > 0) {
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

async function rewrapOwnKeys(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  isComplete: boolean,
): Promise<void> {
  const meta = await tx.meta.read();
  if (meta === null) throw new LockstepError("INTERNAL", "The store's identity row is missing.");
  const { sealer } = context;
  const fingerprintKey = await sealer.rewrap(
    meta.fingerprintKeySealed,
    fingerprintKeyAssociatedData(meta.storeId),
  );
  await tx.meta.replaceFingerprintKey(fingerprintKey);
  if (isComplete) {
    await tx.meta.replaceKeyCheck(await sealer.rewrap(meta.keyCheck, keyCheckAssociatedData(meta.storeId)));
  }
  await record(context, tx, actor, { complete: isComplete });
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
  details: Readonly<Record<string, number | boolean>>,
): Promise<void> {
  return tx.audit.append({
    action: "store.rewrapped",
    actor,
    subject: { kind: "store", id: context.storeId, name: "store" },
    details,
  });
}
