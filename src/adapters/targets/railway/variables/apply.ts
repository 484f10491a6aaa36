/**
 * Writes a change: one upsert of the changed names alone, then all deletions in one request. Never `replace`, which
 * removes what we do not own; always `skipDeploys`, because restarts are decided elsewhere, once per unit.
 *
 * Order: Railway cannot refuse an older write. The caller has looked directly before, and compares the marker that
 * `observe` answered; reading it here once more would cost a request of every push and leave the same gap, because
 * nothing ties a read to the write after it. Instead all requests of one change share one deadline, so that
 * `inFlightMs` bounds when the last of them may land.
 */
import { LockstepError } from "../../../../core/errors.ts";
import { formatOrder, type Order } from "../../../../core/order.ts";
import type { SetItem } from "../../../../core/ports/place.ts";
import type { ApplyResult, Change } from "../../../../core/ports/target.ts";
import { withDeadline } from "../../../../lib/with-deadline.ts";
import { isRecord, type RailwayClient } from "../client.ts";
import { assertKey, assertValue, type RailwayConfig, REVISION_KEY } from "../config.ts";
import { NO_VARIABLE } from "../errors.ts";
import { deleteVariables } from "../wire/documents.ts";

/** Aliases in one request. */
const MAX_DELETIONS = 50;

export interface ApplyOptions {
  readonly order: Order;
  readonly revisionMarker: boolean;
  readonly target: string;
}

export async function apply(
  client: RailwayClient,
  config: RailwayConfig,
  change: Change,
  options: ApplyOptions,
  signal: AbortSignal,
): Promise<ApplyResult> {
  for (const { key, value } of change.set) {
    assertKey(key);
    assertValue(key, value.reveal());
  }
  for (const { key } of change.unset) assertKey(key);
  if (change.set.length + change.unset.length === 0) return { outcome: "unchanged" };
  return withDeadline(signal, config.requestTimeoutMs, async (limited) => {
    if (change.set.length > 0) await upsert(client, config, change.set, options, limited);
    const names = change.unset.map(({ key }) => key);
    for (let at = 0; at < names.length; at += MAX_DELETIONS)
      await remove(client, config, names.slice(at, at + MAX_DELETIONS), options.target, limited);
    return { outcome: "changed" };
  });
}

async function upsert(
  client: RailwayClient,
  config: RailwayConfig,
  items: readonly SetItem[],
  { order, revisionMarker, target }: ApplyOptions,
  signal: AbortSignal,
): Promise<void> {
  const variables = Object.fromEntries(items.map(({ key, value }) => [key, value.reveal()]));
  if (revisionMarker) variables[REVISION_KEY] = formatOrder(order);
  const input = { ...scopeOf(config), variables, skipDeploys: true };
  const answer = await client.write("UpsertVariables", { input }, signal);
  assertDone(answer, ["variableCollectionUpsert"], target);
}

async function remove(
  client: RailwayClient,
  config: RailwayConfig,
  names: readonly string[],
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const inputs = names.map((name, at) => [`input${at}`, { ...scopeOf(config), name }] as const);
  try {
    const document = deleteVariables(names.length);
    const answer = await client.write("DeleteVariables", Object.fromEntries(inputs), signal, document);
    assertDone(
      answer,
      names.map((_, at) => `delete${at}`),
      target,
    );
  } catch (error) {
    if (!(error instanceof LockstepError) || error.details["reason"] !== NO_VARIABLE) throw error;
    // Gone already is what was wanted. But the first one that is gone ends the whole document, and which it was is
    // not said: the others go one by one.
    if (names.length === 1) return;
    for (const name of names) await remove(client, config, [name], target, signal);
  }
}

/** Without `serviceId` a write goes to the whole environment: left out only for the shared scope, on purpose. */
function scopeOf({ project, environment, service }: RailwayConfig) {
  const scope = { projectId: project, environmentId: environment };
  return service === null ? scope : { ...scope, serviceId: service };
}

/** HTTP 200 says nothing, and neither does an answer other than true. */
function assertDone(answer: unknown, fields: readonly string[], target: string): void {
  if (isRecord(answer) && fields.every((field) => answer[field] === true)) return;
  throw new LockstepError(
    "TARGET_OUTCOME_UNKNOWN",
    `Railway did not confirm the write at target "${target}".`,
  );
}
