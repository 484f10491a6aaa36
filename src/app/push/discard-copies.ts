/**
 * Removes copies for restoring from their hosts, once nobody can put them back any more or they must go: an old value
 * at rest stands nowhere longer than it is of use. The row goes after the copy did, so that a host that was away, and a
 * worker that died, are both made up for by the next sweep.
 */
import { isSourceAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { CopyToDiscard, KeptCopy } from "../../core/store/kept-copies.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { kindOf, withTarget } from "../targets/open-target.ts";

const MAX_PER_SWEEP = 50;
const MAX_AT_ONCE = 8;
const TIMEOUT_MS = 30_000;
/** Of somebody who waits at a terminal. */
const NOW_TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 15 * 60_000;

/** What is due, of all targets. Never throws for one of them. */
export async function discardDueCopies(context: AppContext, signal: AbortSignal): Promise<void> {
  const due = await context.store.read.keptCopies.due(MAX_PER_SWEEP);
  await mapLimited(due, MAX_AT_ONCE, (copies) => discard(context, copies, signal, TIMEOUT_MS));
}

export async function discardCopiesAt(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  await discardAt(context, targetId, signal, TIMEOUT_MS);
}

async function discardAt(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<void> {
  for (const copies of await context.store.read.keptCopies.due(MAX_PER_SWEEP, targetId))
    await discard(context, copies, signal, timeoutMs);
}

/** After a secret's copies were owed: removes those whose hosts answer soon, and answers what is left. */
export async function discardCopiesOf(context: AppContext, secretId: string): Promise<readonly KeptCopy[]> {
  const never = new AbortController().signal;
  const { keptCopies } = context.store.read;
  const targets = new Set((await keptCopies.list(secretId)).map(({ targetId }) => targetId));
  await mapLimited([...targets], MAX_AT_ONCE, (id) => discardAt(context, id, never, NOW_TIMEOUT_MS));
  return await keptCopies.list(secretId);
}

async function discard(
  context: AppContext,
  { targetId, destination, placements, attempts }: CopyToDiscard,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<void> {
  try {
    const target = await context.store.read.targets.findById(targetId);
    if (target === null || kindOf(context, target.kind).destination(target.config) !== destination) {
      throw new LockstepError(
        "TARGET_MISSING",
        `Its target was ${target === null ? "removed" : "moved"}, and with that the credential for its host.`,
        { hint: "Remove the copy there by hand: it is the *.keep file in ~/.lockstep." },
      );
    }
    await inTime(target.name, signal, timeoutMs, (limited) =>
      withTarget(context, target, async ({ restorer }) => restorer?.discard(placements, limited)),
    );
    await context.store.transaction((tx) => tx.keptCopies.discarded(targetId, placements));
  } catch (error) {
    const failure = toLockstepError(error);
    const { code, message } = failure;
    context.log.warn("copies not removed", { target: targetId, code });
    if (isSourceAway(failure)) return;
    const inMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempts, 10));
    await context.store.transaction((tx) =>
      tx.keptCopies.tryLater(targetId, placements, { inMs, error: message }),
    );
  }
}
