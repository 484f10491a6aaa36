/**
 * Asks for the bundle, opens and checks what comes, and keeps it: the sealed text first, then how far we came. A crash
 * between the two is repaired when the cache is read.
 */
import { randomBytes } from "node:crypto";
import { type LockstepError, toLockstepError } from "../../../core/errors.ts";
import { MAX_ENTRIES } from "../../../protocol/agent/epoch.ts";
import type { Bundle, BundleAnswer } from "../../../protocol/agent/messages.ts";
import { openBundle } from "../apply/open-bundle.ts";
import { readCache, writeCache } from "../cache/sealed-cache.ts";
import type { AgentContext } from "../context.ts";

/** What the server has now; null where that is what we hold. Throws what the client throws, and BUNDLE_REFUSED. */
export async function fetchBundle(
  context: AgentContext,
  held: Bundle | null,
  signal: AbortSignal,
): Promise<Bundle | null> {
  const { client, records, identity, facts, files } = context;
  const nonce = randomBytes(16).toString("base64url");
  const have = isReported(context, held) ? records.now.reported : null;
  const { accepted: before } = records.now;
  const accepted =
    before?.storeId === identity.storeId
      ? { epoch: before.epoch, generation: before.generation, digest: before.digest }
      : null;
  const sealed = await client.bundle({ v: 1, nonce, have, accepted, facts }, signal);
  await context.checkpoint("received");
  let answer: BundleAnswer;
  try {
    answer = await openBundle(sealed, { identity, nonce, accepted: records.now.accepted });
  } catch (error) {
    await tellIncident(context, toLockstepError(error));
    throw error;
  }
  const now = new Date(context.nowMs()).toISOString();
  await records.update({ lastContactAt: now, lastFailure: null, revokedAt: null });
  if (answer.kind === "unchanged") return null;
  await writeCache(files, { sealed, nonce, receivedAt: now });
  await keepOrder(context, answer);
  await context.checkpoint("cached");
  return answer;
}

/** What was kept, verified again. Null: nothing, or nothing that may be used. */
export async function cachedBundle(context: AgentContext): Promise<Bundle | null> {
  const { identity, files, records } = context;
  const cached = await readCache(files);
  if (cached === null) return null;
  try {
    const { sealed, nonce } = cached;
    const answer = await openBundle(sealed, { identity, nonce, accepted: records.now.accepted });
    if (answer.kind !== "bundle") return null;
    await keepOrder(context, answer);
    return answer;
  } catch (error) {
    await tellIncident(context, toLockstepError(error));
    return null;
  }
}

/** How far we came, with the entries of the epochs that led there. */
async function keepOrder({ records }: AgentContext, bundle: Bundle): Promise<void> {
  const { storeId, epoch, generation, orderDigest: digest, epochs = [] } = bundle;
  const entries = [...new Set([...records.now.epochs, ...epochs])].slice(-MAX_ENTRIES);
  await records.update({ accepted: { storeId, epoch, generation, digest }, epochs: entries });
}

/** Said without having the values, the server would keep them back. */
function isReported({ records }: AgentContext, held: Bundle | null): boolean {
  const { reported } = records.now;
  return (
    held !== null &&
    reported?.epoch === held.epoch &&
    reported.generation === held.generation &&
    reported.digest === held.digest
  );
}

export async function tellIncident(context: AgentContext, error: LockstepError): Promise<void> {
  context.log.failed("a bundle was dropped", error);
  const at = new Date(context.nowMs()).toISOString();
  await context.records.addIncident(at, error.code, error.message.slice(0, 500));
}
