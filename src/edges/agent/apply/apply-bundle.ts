/**
 * Makes the host hold what a bundle says, step by step, each of which may be the last before a crash:
 *
 *   look ▸ plan written down, restart owed ▸ write ▸ look again ▸ end written down (▸ restart ▸ report, elsewhere)
 *
 * Level, not edge: after a crash it begins at the look, finds what is done already, and goes on. Files are written only
 * for a push, which the server has recorded, and once more after a start of the machine that took a whole file away;
 * otherwise a difference is drift: seen, told, left alone. What a child is given is not kept anywhere, so it is staged
 * from every bundle.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { PlannedItem } from "../../../core/reconcile/plan-change.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { pause } from "../../../lib/pause.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";
import { isWrite, type Looked, look, reportedItem } from "./look.ts";
import { followUnit, oweRestart, tryAgain, withdrawRestart } from "./unit-record.ts";
import { childEnvironmentOf, writeFiles } from "./write.ts";

const MAX_ROUNDS = 4;

export async function applyBundle(context: AgentContext, bundle: Bundle, signal: AbortSignal): Promise<void> {
  for (const value of valuesOf(bundle)) context.know(value);
  const allowed = await context.judge(bundle);
  await followUnit(context, bundle, allowed);
  await stageChild(context, bundle, allowed);
  if (isOwed(context, bundle)) await push(context, bundle, allowed, signal);
  else await lookOnly(context, bundle, allowed, signal);
  await tidy(context, bundle, allowed, signal);
  // Only now: what is told by this word was seen after it was asked for. Services are asked once nothing restarts.
  if (context.records.now.lookedBy !== bundle.look && !hasQuestions(bundle))
    await context.records.update({ lookedBy: bundle.look, answers: [] });
}

/**
 * Nothing is ever put back by an agent, so nothing is kept. What another release or a crash left is an old value at rest:
 * once in each life of the agent it is looked for beside each file.
 */
async function tidy(
  { host, tidied }: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<void> {
  const mayTouch = [...bundle.slots, ...bundle.pruned].filter((slot) => allowed.whyNot(slot) === null);
  for (const path of new Set(mayTouch.map(({ placement }) => placement))) {
    if (path === "" || tidied.has(path)) continue;
    const done = await host.discardRestoreCopy(path, signal).then(
      () => true,
      () => false,
    );
    if (done) tidied.add(path);
  }
}

export function hasQuestions({ asks = [] }: Bundle): boolean {
  return asks.some(({ versions }) => versions.length > 0);
}

function valuesOf({ slots, asks = [] }: Bundle): readonly string[] {
  const asked = asks.flatMap(({ versions, tokens }) => [...versions.map(({ value }) => value), ...tokens]);
  return [...slots.map(({ value }) => value), ...asked];
}

/** The push is not ended yet: neither by us, nor, for all that we know, by the server. */
function isOwed({ records }: AgentContext, { pushId }: Bundle): boolean {
  const { push, closedPushId } = records.now;
  if (pushId === null || pushId === closedPushId) return false;
  return push?.pushId !== pushId || push.ended === null;
}

async function push(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<void> {
  const { records } = context;
  const pushId = bundle.pushId ?? "";
  let looked = await look(context, bundle, allowed, signal);
  if (records.now.push?.pushId !== pushId) {
    await records.update({ push: { pushId, before: looked.items.map(reportedItem), ended: null } });
  }
  await tryAgain(context, bundle);
  let failures = looked.failures;
  let changed = false;
  const unitBefore = records.now.unit;
  for (let round = 0; round < MAX_ROUNDS && looked.items.some(isFileWrite); round += 1) {
    if (round > 0) await pause(context.timing.retryWriteMs, signal);
    // Before the first byte: from here on a crash must not lose the restart.
    await oweRestart(context, bundle, allowed);
    await context.checkpoint("planned");
    const written = await writeFiles(context, bundle, allowed, looked.items, signal);
    changed ||= written.changed;
    await context.checkpoint("written");
    looked = await look(context, bundle, allowed, signal);
    await context.checkpoint("read-back");
    failures = [...looked.failures, ...written.failures];
    if (written.failures.some((failure) => failure.verdict === "never")) break;
  }
  if (!changed) await withdrawRestart(context, unitBefore, failures);
  await end(context, allowed, pushId, looked, failures);
}

async function end(
  context: AgentContext,
  allowed: Allowed,
  pushId: string,
  looked: Looked,
  failures: readonly LockstepError[],
): Promise<void> {
  const error = failureOf(context, looked.items, failures);
  const { push } = context.records.now;
  await context.records.update({
    push: {
      pushId,
      before: push?.before ?? [],
      ended: {
        outcome: error === null ? "applied" : "failed",
        error: error === null ? null : { code: error.code, message: error.message.slice(0, 1_000) },
      },
    },
    seen: looked.items.map(reportedItem),
    refused: [...allowed.refused],
    appliedBootId: context.bootId,
  });
  if (error !== null) context.log.failed("not everything could be brought to its place", error);
  else context.log.say("everything stands where it should");
}

/** What the push failed with; what stands there rightly in the end outweighs how it came there. */
function failureOf(
  { identity }: AgentContext,
  items: readonly PlannedItem[],
  failures: readonly LockstepError[],
): LockstepError | null {
  const open = items.filter((item) => item.action === "blocked" || isWrite(item));
  if (open.length === 0) return null;
  const [first] = failures;
  if (first !== undefined) return first;
  const names = [
    ...new Set(open.map(({ placement, key }) => (placement === "" ? key : `${placement}: ${key}`))),
  ];
  const list = names.join(", ");
  if (open.some(isWrite)) {
    return new LockstepError("READ_BACK_MISMATCH", `Wrote to ${list}, but reading back shows another value.`);
  }
  const refused = open.some(({ found }) => found.kind === "unreadable");
  return refused
    ? new LockstepError(
        "POLICY_REFUSED",
        `The host's owner does not allow target "${identity.target}" to have ${list}.`,
      )
    : new LockstepError("FOREIGN_VALUE", `What stands at ${list} is not ours, and was left.`);
}

async function lookOnly(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<void> {
  let looked = await look(context, bundle, allowed, signal);
  if (context.records.now.appliedBootId !== context.bootId) {
    const gone = await itemsOfGoneFiles(context, looked.items, signal);
    if (gone.length > 0) {
      const unitBefore = context.records.now.unit;
      await oweRestart(context, bundle, allowed);
      const written = await writeFiles(context, bundle, allowed, gone, signal);
      if (written.changed) context.log.say("files that the machine's start took away were written again");
      else await withdrawRestart(context, unitBefore, written.failures);
      looked = await look(context, bundle, allowed, signal);
    }
  }
  await context.records.update({
    seen: looked.items.map(reportedItem),
    refused: [...allowed.refused],
    appliedBootId: context.bootId,
  });
}

/**
 * Files in memory (/run) do not outlive a restart of the machine, and the services that need them start before the
 * server may be there. A file that is wholly gone holds nobody's change, so nothing of anybody's is overwritten.
 */
async function itemsOfGoneFiles(
  { host }: AgentContext,
  items: readonly PlannedItem[],
  signal: AbortSignal,
): Promise<readonly PlannedItem[]> {
  const wanted = items.filter((item) => isFileWrite(item) && item.found.kind === "absent");
  const gone = new Set<string>();
  for (const path of new Set(wanted.map(({ placement }) => placement))) {
    if ((await host.read(path, signal)).state === "absent") gone.add(path);
  }
  return wanted.filter(({ placement }) => gone.has(placement));
}

async function stageChild(context: AgentContext, bundle: Bundle, allowed: Allowed): Promise<void> {
  const { child } = context;
  if (child === null) return;
  // Started without its secrets, a program would refuse everybody, or nobody.
  if (bundle.slots.length === 0 && !child.hasStarted) {
    context.log.say("the target has no value yet; the program starts as soon as there is one");
    return;
  }
  const differs = child.stage(childEnvironmentOf(bundle, allowed, SecretValue.of));
  if (differs || !child.hasStarted) await oweRestart(context, bundle, allowed);
}

function isFileWrite(item: PlannedItem): boolean {
  return item.placement !== "" && isWrite(item);
}
