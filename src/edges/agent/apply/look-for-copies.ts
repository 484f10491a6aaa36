/**
 * Looks where else on this machine what is kept here stands, and which copy the unit's process gets. Only within what the
 * machine's owner allows: beside allowed files, in units that may be restarted, in files that may be searched. What is
 * told are names, lines and versions.
 */
import { createCopyFinder } from "../../../adapters/placements/copies/find-copies.ts";
import { copyInterest } from "../../../core/copies/recognise.ts";
import { toLockstepError } from "../../../core/errors.ts";
import type { CopiesSeen } from "../../../core/ports/copies.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import { type ToldCopies, toldCopies } from "../../../protocol/agent/copies.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";
import { desiredOf, sameUnder, type VersionCode } from "./look.ts";

/** A machine that answers slowly keeps no report waiting. */
const WITHIN_MS = 5_000;
const MAX_TOLD = 200;
const MAX_SHARED_TOLD = 64;

export async function lookForCopies(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<void> {
  const slots = bundle.slots.filter((slot) => slot.placement !== "" && allowed.whyNot(slot) === null);
  if (slots.length === 0) return;
  const { named, all } = allowed.searched;
  const finder = createCopyFinder(context.host, {
    files: allowed.files,
    activate: allowed.activation,
    alsoCheck: named,
    profiles: all,
  });
  const interest = copyInterest<VersionCode>(slots.map(desiredOf), sameUnder(bundle.macKey));
  try {
    const seen = await withDeadline(signal, WITHIN_MS, (limited) => finder.find(interest, limited));
    await context.records.update({ copies: told(seen) });
  } catch (error) {
    if (!signal.aborted) context.log.failed("copies were not looked for", toLockstepError(error));
  }
}

/** Those that win first: what is left out must not be what matters. */
function told({ copies, unread, shared }: CopiesSeen): ToldCopies {
  const first = [...copies].sort((a, b) => Number(b.wins) - Number(a.wins)).slice(0, MAX_TOLD);
  return toldCopies.parse({
    copies: first,
    unread,
    ...(shared.length === 0 ? {} : { shared: shared.slice(0, MAX_SHARED_TOLD) }),
  });
}
