/**
 * Judges again what changed, and what time may have changed: the state of each binding, and of what people are to be told.
 * Everybody else reads what is kept. Costs what changed costs, however large the store is.
 */
import { noticesOf } from "../../core/alerts/noticed.ts";
import type { Judgement, JudgementScope } from "../../core/store/judgements.ts";
import type { AppContext } from "../base/context.ts";
import { bindingStatus } from "./binding-status.ts";
import { recordedPlaceFacts } from "./gather-facts.ts";
import { readRecordedOf } from "./recorded.ts";

/** Of what changed, and of what is due; a secret or target among it means all bindings of it. */
const AT_A_TIME = 500;
/** After that, others of the round have their turn. A store that was just migrated is judged over several rounds. */
const MAX_PARTS = 20;

/** Of several workers one judges; what is owed after that is judged in the next round. */
export async function judgeChanged(context: AppContext): Promise<void> {
  for (let part = 0; part < MAX_PARTS; part += 1) {
    const judged = await context.store.transaction(async (tx) => {
      if (!(await tx.checks.takeTurn("judge"))) return 0;
      const scope = await tx.judgements.takeOwed(AT_A_TIME);
      const count = scope.secretIds.length + scope.targetIds.length + scope.bindingIds.length;
      if (count > 0) await tx.judgements.record(scope, await judge(context, scope));
      return count;
    });
    if (judged === 0) return;
  }
}

async function judge(context: AppContext, scope: JudgementScope): Promise<readonly Judgement[]> {
  const recorded = await readRecordedOf(context, scope);
  const facts = await recordedPlaceFacts(context, recorded);
  const notices = noticesOf(facts);
  const asked = { secrets: new Set(scope.secretIds), targets: new Set(scope.targetIds) };
  const judgements: Judgement[] = [];
  recorded.targets.forEach(({ id }, index) => {
    const target = facts.targets[index];
    if (target === undefined || !asked.targets.has(id)) return;
    judgements.push({
      id,
      kind: "target",
      secretId: null,
      targetId: id,
      state: null,
      ...notices.ofTarget(target),
    });
  });
  const rows = new Map(recorded.secrets.map(({ id }, index) => [id, facts.secrets[index]]));
  for (const [id, secret] of rows)
    if (secret !== undefined && asked.secrets.has(id))
      judgements.push({
        id,
        kind: "secret",
        secretId: id,
        targetId: null,
        state: null,
        ...notices.ofSecret(secret),
      });
  const seen = new Map<string, number>();
  for (const row of recorded.bindings) {
    const { id, secretId, targetId } = row;
    const at = seen.get(secretId) ?? 0;
    seen.set(secretId, at + 1);
    const secret = rows.get(secretId);
    const binding = secret?.bindings[at];
    if (secret === undefined || binding === undefined) continue;
    const { state } = bindingStatus(row);
    judgements.push({
      id,
      kind: "binding",
      secretId,
      targetId,
      state,
      ...notices.ofBinding(secret, binding),
    });
  }
  return judgements;
}
