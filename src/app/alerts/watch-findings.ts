/**
 * What doctor would say from what is on record, turned into alerts: opened when it appears, resolved when it is gone. Of
 * places that are quiet nothing is read.
 * Asks no place; the looks of the loop, of agents and of the schedule are what it reasons from.
 */
import { createHash } from "node:crypto";
import { SYSTEM } from "../../core/actor.ts";
import { type Alertable, alertableOf } from "../../core/alerts/alertable.ts";
import { diagnose } from "../../core/doctor/diagnose.ts";
import { FINDING_IDS } from "../../core/doctor/finding.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { rememberChannels } from "../base/open-channel.ts";
import { raiseAlert, resolveAlert } from "../base/raise-alert.ts";
import { noticedFacts } from "../status/gather-facts.ts";
import { judgeChanged } from "../status/judge-changed.ts";

/** Alerts of this engine; others (renewal) have levels of their own. */
const OURS = new Set<string>(FINDING_IDS);
const MAX_OPEN = 10_000;

export async function watchFindings(context: AppContext): Promise<void> {
  const { read } = context.store;
  await rememberChannels(context);
  // What a store that was set back knows of its places is from before: it is not judged.
  if ((await read.meta.setBack()) === null) await judgeChanged(context);
  // Both before the facts: what was open and judged by then, and is not among the facts, is over.
  const open = await openAlerts(read);
  const isJudged = !(await read.judgements.isOwed());
  const findings = diagnose(await noticedFacts(context));
  const wanted = new Map(findings.flatMap(alertableOf).map((one) => [subjectId(one), one]));
  const tellsEnds = isJudged && !findings.some(({ id }) => id === "store-set-back");
  const isNew = [...wanted.keys()].some((id) => !open.has(id));
  const over = tellsEnds ? [...open.keys()].filter((id) => !wanted.has(id)) : [];
  if (!isNew && over.length === 0) return;
  await context.store.transaction(async (tx) => {
    if (!(await tx.checks.takeTurn("watch"))) return;
    // Once more, behind the turn: another process may have told it meanwhile.
    const known = await openAlerts(tx);
    for (const [id, { about, holdMs, identity: _, ...alert }] of wanted)
      if (!known.has(id)) await raiseAlert(tx, { kind: "alert", id, name: about }, alert, holdMs);
    for (const id of over) {
      const alert = known.get(id);
      if (alert !== undefined)
        await resolveAlert(tx, SYSTEM, { kind: "alert", id, name: alert.name }, alert.kind);
    }
  });
}

async function openAlerts(tx: Repositories) {
  const alerts = await tx.alerts.list({ open: true, limit: MAX_OPEN });
  const ours = alerts.filter(({ kind }) => OURS.has(kind));
  return new Map(ours.map(({ subjectId: id, kind, message }) => [id, { kind, name: message.slice(0, 80) }]));
}

/** The same for the same thing, whoever computes it: what it is about, not how it is worded. */
function subjectId({ kind, identity }: Alertable): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([kind, ...identity]))
    .digest("hex");
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}
