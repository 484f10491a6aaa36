/**
 * `lockstep plan`: what applying a configuration would change, and what stands at the places meanwhile. Reads the
 * store and looks at the places; writes nothing anywhere. Convergent: right after an apply it has no changes.
 *
 * Safe with a file that a stranger proposed: it asks destinations that were applied, with that kind, origin and pin,
 * and no other unless `askNew` says so.
 */
import { createHash } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import type { PlanProblem } from "../../core/plan/check-difference.ts";
import { newDestinations, type PlannedDestination } from "../../core/plan/destinations.ts";
import { needsTakeOver } from "../../core/plan/place-state.ts";
import { canonicalJson } from "../../lib/canonical-json.ts";
import type { AppContext } from "../base/context.ts";
import { channelAddress } from "./channel-config.ts";
import { judgePlaces } from "./judge-places.ts";
import { looksOf, observePlaces } from "./observe-places.ts";
import {
  type ConfigPlan,
  type PlannedChange,
  type PlannedPlace,
  viewChannel,
  viewDifference,
} from "./plan-view.ts";
import { type ConfigRequest, type Prepared, prepareConfig } from "./prepare.ts";
import { takenElsewhere } from "./taken-elsewhere.ts";

/** Throws CONFIG_INVALID; what only forbids applying is in `problems`. */
export async function planConfig(
  context: AppContext,
  _actor: Actor,
  request: ConfigRequest,
  signal: AbortSignal = new AbortController().signal,
): Promise<ConfigPlan> {
  const prepared = await prepareConfig(context, context.store.read, request);
  return planPrepared(context, prepared, request, signal);
}

export async function planPrepared(
  context: AppContext,
  prepared: Prepared,
  request: ConfigRequest,
  signal: AbortSignal,
): Promise<ConfigPlan> {
  const looks = await observePlaces(context, looksOf(context, prepared, request), signal);
  const { places, adoption } = await judgePlaces(context, prepared, request, looks);
  const changes = [
    ...prepared.differences.map(viewDifference),
    ...takeOvers(places, request),
    ...prepared.channels.map(viewChannel),
  ];
  const problems = [...prepared.problems, ...unknownTakeOvers(prepared, request)];
  const deleted = new Set(
    changes.flatMap((change) => (change.action === "delete" ? [`${change.target}/${change.key}`] : [])),
  );
  return {
    hasChanges: changes.length > 0,
    changes,
    places,
    adoption,
    destinations: [
      ...newDestinations(prepared.desired, prepared.stored, prepared.known),
      ...prepared.channels.flatMap(destinationOfChannel),
    ],
    leftInPlace: prepared.stored.owned
      .filter((owned) => !owned.live && owned.written && !owned.prune && prepared.isReachable(owned))
      .filter((owned) => !deleted.has(`${owned.target}/${owned.key}`))
      .map(({ secretEnvironment, secret, target, key }) => ({
        environment: secretEnvironment,
        secret,
        target,
        key,
      })),
    problems,
    warnings: [...prepared.warnings, ...takenElsewhere(prepared, looks)],
    digest: digestOf(prepared, changes, places, problems),
  };
}

function destinationOfChannel({
  action,
  name,
  said,
  isKnown,
}: Prepared["channels"][number]): PlannedDestination[] {
  if (said === null || isKnown) return [];
  const change = action === "create" ? "new" : "changed";
  const address = channelAddress(said);
  return [{ subject: "channel", change, environment: "", name, address, path: ["alerts", name] }];
}

/** Whose foreign value the request allows to overwrite. */
export function isTakenOver(takeOver: ConfigRequest["takeOver"], place: PlannedPlace): boolean {
  // Without a value of ours there is nothing to overwrite with: that is adoption's matter.
  if (takeOver === undefined || place.wantedVersion === null || !needsTakeOver(place.place)) return false;
  return (
    takeOver === "all" ||
    takeOver.includes(place.secret) ||
    takeOver.includes(`${place.secret}@${place.target}`)
  );
}

function takeOvers(places: readonly PlannedPlace[], { takeOver }: ConfigRequest): PlannedChange[] {
  return places
    .filter((place) => isTakenOver(takeOver, place))
    .map((place) => ({
      subject: "key",
      action: "take-over",
      environment: place.environment,
      name: place.secret,
      target: place.target,
      key: place.key,
      text: `overwrite ${place.key} at ${place.target}, ${place.place.state === "not-asked" ? "whatever stands there" : "which holds a value that Lockstep does not know"}`,
      path: place.path,
    }));
}

function digestOf(
  prepared: Prepared,
  changes: readonly PlannedChange[],
  places: readonly PlannedPlace[],
  problems: readonly PlanProblem[],
): string {
  const states = places.map(({ environment, secret, targetEnvironment, target, placement, key, place }) => [
    [environment, secret, targetEnvironment, target, placement, key],
    place.state,
  ]);
  const text = canonicalJson({ desired: prepared.desired, changes, states, problems });
  return createHash("sha256").update(text).digest("base64url");
}

function unknownTakeOvers({ desired }: Prepared, { takeOver }: ConfigRequest): PlanProblem[] {
  if (takeOver === undefined || takeOver === "all") return [];
  const known = new Set(desired.bindings.flatMap(({ secret, target }) => [secret, `${secret}@${target}`]));
  return takeOver
    .filter((name) => !known.has(name))
    .map((name) => ({
      code: "INPUT_INVALID",
      path: [],
      message: `--take-over names ${name}, which is bound nowhere`,
      remedy: "Name a secret, or one of its places as NAME@TARGET.",
    }));
}
