/**
 * Writes a change: one upsert of the changed names alone, then the deletions, one by one. Never `replace`, which
 * removes what we do not own; always `skipDeploys`, because restarts are decided elsewhere, once per unit.
 *
 * Railway cannot refuse an older write, so the caller compares the revision marker that it observed, and claims
 * nothing while a write of unknown outcome may still land.
 */
import { LockstepError } from "../../../core/errors.ts";
import { formatOrder, type Order } from "../../../core/order.ts";
import type { ApplyResult, Change } from "../../../core/ports/target.ts";
import { isRecord, type RailwayClient } from "./client.ts";
import { assertKey, assertValue, type RailwayConfig, REVISION_KEY } from "./config.ts";

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
  if (change.set.length > 0) await upsert(client, config, change, options, signal);
  for (const { key } of change.unset) await remove(client, config, key, options.target, signal);
  return { outcome: "changed" };
}

async function upsert(
  client: RailwayClient,
  config: RailwayConfig,
  change: Change,
  { order, revisionMarker, target }: ApplyOptions,
  signal: AbortSignal,
): Promise<void> {
  const variables = Object.fromEntries(change.set.map(({ key, value }) => [key, value.reveal()]));
  if (revisionMarker) variables[REVISION_KEY] = formatOrder(order);
  const input = { ...scopeOf(config), variables, skipDeploys: true };
  const answer = await client.write("UpsertVariables", { input }, signal);
  assertDone(answer, "variableCollectionUpsert", target);
}

async function remove(
  client: RailwayClient,
  config: RailwayConfig,
  name: string,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const answer = await client.write("DeleteVariable", { input: { ...scopeOf(config), name } }, signal);
    assertDone(answer, "variableDelete", target);
  } catch (error) {
    // Gone already is what was wanted.
    if (!(error instanceof LockstepError) || error.code !== "TARGET_MISSING") throw error;
  }
}

/** Without `serviceId` a write goes to the whole environment: left out only for the shared scope, on purpose. */
function scopeOf({ project, environment, service }: RailwayConfig) {
  return {
    projectId: project,
    environmentId: environment,
    ...(service === null ? {} : { serviceId: service }),
  };
}

/** HTTP 200 says nothing, and neither does an answer other than true. */
function assertDone(answer: unknown, field: string, target: string): void {
  if (isRecord(answer) && answer[field] === true) return;
  throw new LockstepError(
    "TARGET_OUTCOME_UNKNOWN",
    `Railway did not confirm the write at target "${target}".`,
  );
}
