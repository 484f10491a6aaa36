/**
 * What an agent must hold, computed when it asks: one that was away for a week gets what is right now, and nothing of
 * what was right meanwhile.
 *
 * Write-ahead: what is owed is committed as a push before the answer leaves. The agent is the writer; asked again, it
 * is given the same push until it has reported how that ended.
 *
 * Steps: facts of the machine are stored ▸ the order that the agent took is judged ▸ it has all: "unchanged" ▸ otherwise
 * what it must hold is loaded ▸ the push is committed, unless new intent came in between: then all over ▸ signed and sealed.
 */
import { isDeepStrictEqual } from "node:util";
import { SYSTEM } from "../../../core/actor.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import type { PushItem } from "../../../core/store/pushes.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import { type PublicJwk, sealMessage } from "../../../protocol/agent/envelope.ts";
import { MAX_ENTRIES } from "../../../protocol/agent/epoch.ts";
import { publicPart } from "../../../protocol/agent/keys.ts";
import type { BundleAnswer, BundleRequest } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { type Desired, loadDesired } from "../../desired/desired.ts";
import { slotsDigest } from "../../desired/digest.ts";
import { orderOf } from "../../orders/given-order.ts";
import { openBundleKey, openTakeOverKey } from "../../orders/store-keys.ts";
import { contentOf, requestWord } from "../../targets/report-content.ts";
import { judgeReportedOrder } from "../reports/judge-reported-order.ts";
import { bundleAsks } from "./bundle-asks.ts";
import { type BundleParts, bundleContent } from "./bundle-content.ts";

const MAX_TRIES = 3;

/** Throws NOT_FOUND when the target is gone, STORE_SET_BACK: then the agent keeps what it has. */
export async function serveBundle(
  context: AppContext,
  agent: AgentRecord,
  request: BundleRequest,
): Promise<{ readonly sealed: string }> {
  if (!isDeepStrictEqual(agent.facts, request.facts)) {
    await context.store.transaction((tx) => tx.agents.touch(agent.id, { ...request.facts }));
  }
  for (let tries = 1; ; tries += 1) {
    const target = await context.store.read.targets.findById(agent.targetId);
    if (target === null) throw gone(agent);
    await assertNotSetBack(context, target, request);
    const answer = hasAll(agent, target, request)
      ? unchanged(context, agent, target, request)
      : await whole(context, agent, target, request);
    // New intent came in between: what was computed may be neither the one nor the other.
    if (answer === null && tries < MAX_TRIES) continue;
    if (answer === null)
      throw new LockstepError("WRITE_CONFLICT", "Cannot answer now: the target is changing.");
    const signWith = await openBundleKey(context);
    const encryptTo = agent.encryptKey as unknown as PublicJwk;
    return { sealed: await sealMessage(asUnderstood(answer, request), { signWith, encryptTo }) };
  }
}

/** An agent of a release that knows no digests of orders refuses a bundle that has one. */
function asUnderstood(answer: BundleAnswer, { accepted }: BundleRequest): object {
  if (answer.kind !== "bundle" || accepted !== undefined) return answer;
  const { orderDigest: _, ...known } = answer;
  return known;
}

/** The highest order that the agent took is told with each request, so that a store that was set back hears of it here. */
async function assertNotSetBack(
  context: AppContext,
  target: TargetRecord,
  { accepted }: BundleRequest,
): Promise<void> {
  if (accepted != null) {
    const { digest, ...number } = accepted;
    await judgeReportedOrder(context, target, { storeId: context.storeId, digest, ...number });
  }
  await context.store.read.meta.assertMayMove();
}

/** It holds what is wanted now, has told so, and nothing is owed. Opens no value. */
function hasAll(agent: AgentRecord, target: TargetRecord, { have }: BundleRequest): boolean {
  const { epoch } = target;
  return (
    have !== null &&
    have.epoch === epoch &&
    have.generation === target.generation &&
    have.digest === contentOf(agent)?.digest &&
    agent.reportedEpoch === epoch &&
    agent.reportedGeneration === target.generation &&
    contentOf(agent)?.look === requestWord(target) &&
    !isOwed(target)
  );
}

function unchanged(
  { storeId }: AppContext,
  { id }: AgentRecord,
  { epoch, generation }: TargetRecord,
  { nonce }: BundleRequest,
): BundleAnswer {
  return { v: 1, kind: "unchanged", agentId: id, storeId, epoch, generation, nonce };
}

async function whole(
  context: AppContext,
  agent: AgentRecord,
  target: TargetRecord,
  { nonce, accepted }: BundleRequest,
): Promise<BundleAnswer | null> {
  const desired = await loadDesired(context, target.id);
  const digest = slotsDigest(desired.slots);
  const asks = await bundleAsks(context, target.id, desired);
  const order = orderOf(context, target, desired.slots);
  const pushId = await commit(context, agent, target, { desired, asks, digest, order });
  if (pushId === undefined) return null;
  const epochs = await context.store.read.meta.epochEntries(accepted?.epoch ?? 0);
  const mayTell = asks.some(({ authority }) => authority === true);
  const takeOverKey = mayTell ? publicPart(await openTakeOverKey(context)) : null;
  return bundleContent(context, {
    agent,
    target,
    desired,
    asks,
    takeOverKey,
    digest,
    order,
    epochs: epochs.slice(-MAX_ENTRIES).map(({ signed }) => signed),
    pushId,
    nonce,
  });
}

/** The push that is owed, null where nothing is; undefined when the target moved on since `target` was read. */
function commit(
  context: AppContext,
  agent: AgentRecord,
  target: TargetRecord,
  { desired, asks, digest, order }: Pick<BundleParts, "asks" | "desired" | "digest" | "order">,
): Promise<string | null | undefined> {
  return context.store.transaction(async (tx) => {
    await tx.meta.assertMayMove();
    const lease = await tx.targets.leaseForAgent(target.id, `agent:${agent.id}`, 0);
    if (lease?.target.generation !== target.generation || lease.target.epoch !== target.epoch)
      return undefined;
    if (!(await tx.orders.give(target.id, order))) {
      // The number was given to something else: what changed since, without new intent, gets one of its own.
      await tx.targets.bumpGenerations([target.id], target.intentActor ?? SYSTEM);
      return undefined;
    }
    await tx.agents.recordDeliveries(agent.id, deliveredBy({ desired, asks }));
    if (!isOwed(lease.target)) return null;
    const open = await tx.pushes.open(target.id);
    const same = open.find(
      (push) =>
        push.epoch === target.epoch && push.generation === target.generation && push.digest === digest,
    );
    for (const push of open) {
      if (push !== same) await tx.pushes.end(push.id, { outcome: "superseded", evidence: null, error: null });
    }
    if (same !== undefined) return same.id;
    const actor = target.intentActor ?? SYSTEM;
    const pushId = await tx.pushes.start({
      targetId: target.id,
      epoch: target.epoch,
      generation: target.generation,
      attempt: lease.target.attempts + 1,
      leaseToken: lease.token,
      actor: { ...actor, via: [...(actor.via ?? []), `agent:${agent.id}`] },
      digest,
      items: meant(desired),
    });
    await tx.audit.append({
      action: "push.started",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: { push: pushId, generation: target.generation, keys: desired.slots.map(({ key }) => key) },
    });
    return pushId;
  });
}

/** Whatever of a secret the agent learns by this bundle, to be held or to be asked with. */
function deliveredBy({ desired, asks }: Pick<BundleParts, "asks" | "desired">): readonly {
  readonly secretId: string;
  readonly version: number;
}[] {
  const secrets = new Map(desired.bindings.map(({ id, secretId }) => [id, secretId]));
  const asked = asks.flatMap(({ bindingId, versions, reload }) =>
    [...versions, ...(reload === undefined ? [] : [reload.by])].flatMap(({ version }) => {
      const secretId = secrets.get(bindingId);
      return secretId === undefined ? [] : [{ secretId, version }];
    }),
  );
  const held = desired.slots.map(({ secretId, version }) => ({ secretId, version }));
  return [...new Map([...held, ...asked].map((one) => [`${one.secretId} ${one.version}`, one])).values()];
}

/** Until the agent tells what it found there. */
function meant({ slots, pruned }: Desired): readonly PushItem[] {
  const item = ({
    bindingId,
    secretId,
    placement,
    key,
    slot,
  }: Desired["pruned"][number] | Desired["slots"][number]) =>
    ({ bindingId, secretId, placement, key, slot, replaced: null }) as const;
  return [
    ...slots.map((slot) => ({ ...item(slot), version: slot.version, action: "set" as const })),
    ...pruned.map((slot) => ({ ...item(slot), version: null, action: "unset" as const })),
  ];
}

function isOwed({ generation, settledGeneration, gaveUpAt }: TargetRecord): boolean {
  return generation !== settledGeneration && gaveUpAt === null;
}

function gone({ target }: AgentRecord): LockstepError {
  return new LockstepError("NOT_FOUND", `The target "${target}" is not configured any more.`, {
    hint: "What stands on the machine stays. Stop the agent, or say the target in lockstep.yaml again.",
  });
}
