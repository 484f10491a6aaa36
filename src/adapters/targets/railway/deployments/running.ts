/**
 * Tells which versions a service's processes were started with: by the snapshot of the deployment that serves now. It is
 * the nearest to the process that Railway's API comes: variables are fixed when a deployment starts, and replicas,
 * restarts and moves to another host keep them. Repeated at each gate, so that a rollback by somebody is seen.
 */
import { createHash } from "node:crypto";
import type { UnitSpec } from "../../../../core/ports/place.ts";
import type {
  RunningAnswer,
  RunningFound,
  RunningKeyQuestion,
  RunningObserver,
  RunningQuestion,
} from "../../../../core/ports/running.ts";
import { mapLimited } from "../../../../lib/map-limited.ts";
import { SHARED_PLACEMENT } from "../config.ts";
import { patternOf, type ScopeId, usersOf } from "../variables/reference-graph.ts";
import type { UnitDeployments } from "../wire/answers.ts";
import { servingNow } from "./deployments.ts";
import { foundIn, foundThrough } from "./snapshot.ts";
import {
  MAX_SNAPSHOTS_AT_ONCE,
  readStart,
  readUnit,
  readUnits,
  serviceOf,
  type UnitReader,
} from "./units.ts";

type Seen = Omit<UnitDeployments, "serviceId">;

export function createRailwayObserver(reader: UnitReader): RunningObserver {
  return {
    async observe(questions, signal) {
      const units = await readAsked(reader, questions, signal);
      return await mapLimited(questions, MAX_SNAPSHOTS_AT_ONCE, (question) =>
        lookAt(reader, question, units.get(serviceOf(question.unit)), signal),
      );
    },
  };
}

/** One request for one service, and one for any number. */
async function readAsked(
  reader: UnitReader,
  questions: readonly RunningQuestion[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Seen>> {
  const [first] = questions;
  if (first === undefined) return new Map();
  if (reader.units !== undefined) return reader.units;
  if (questions.some(({ unit }) => serviceOf(unit) !== serviceOf(first.unit)))
    return await readUnits(reader, signal);
  return new Map([[serviceOf(first.unit), await readUnit(reader, first.unit, signal, "background")]]);
}

async function lookAt(
  reader: UnitReader,
  { unit, keys }: RunningQuestion,
  seen: Seen | undefined,
  signal: AbortSignal,
): Promise<RunningAnswer> {
  const now = servingNow(seen);
  if (now.state !== "serving") return now;
  const { id, status, instances } = now.deployment;
  const found = await startedWith(reader, { unit, keys }, id, signal);
  if (found === null) return { state: "cannot-tell", reason: NOT_SHOWN };
  const names = instances.map((instance) => instance.id).sort();
  return {
    state: "running",
    instances: [
      {
        id: [id, ...names].join("/"),
        incarnation: { deployment: id, status, instances: names },
        keys: found,
      },
    ],
  };
}

/** With what a deployment started never changes, and one more request for each service would use up the quota. */
const seenBefore = new Map<string, readonly RunningFound[]>();
const MAX_SEEN = 2_000;

/** Only a look at a whole environment takes what was seen before; a rollout's gates look anew. */
async function startedWith(
  reader: UnitReader,
  { unit, keys }: RunningQuestion,
  deploymentId: string,
  signal: AbortSignal,
): Promise<readonly RunningFound[] | null> {
  const asked = keys.map(({ placement, key, candidates }) => [
    placement,
    key,
    Math.max(0, ...candidates.keys()),
  ]);
  const name = JSON.stringify([deploymentId, asked, basisOf(reader, unit, keys)]);
  const before = reader.units === undefined ? undefined : seenBefore.get(name);
  if (before !== undefined) return before;
  const started = await readStart(reader, { unit, deploymentId }, signal);
  if (started === null) return null;
  const found = keys.map((key) => {
    const source = sourceOf(reader, unit, key);
    if (source === null) return foundIn(started, key);
    if (reader.graph === undefined) return NOT_LOOKED;
    return foundThrough(started, reader.graph, { service: serviceOf(unit), source }, key.candidates);
  });
  seenBefore.set(name, found);
  for (const oldest of seenBefore.keys()) {
    if (seenBefore.size <= MAX_SEEN) break;
    seenBefore.delete(oldest);
  }
  return found;
}

/** Null: the service's own variable. */
function sourceOf(
  { config }: UnitReader,
  unit: UnitSpec,
  { placement, key }: RunningKeyQuestion,
): { readonly scope: ScopeId; readonly key: string } | null {
  if (placement === SHARED_PLACEMENT) return { scope: null, key };
  return config.service === serviceOf(unit) ? null : { scope: config.service, key };
}

/** With the stored texts, what a deployment's own texts mean changes. A digest: they may hold values. */
function basisOf(reader: UnitReader, unit: UnitSpec, keys: readonly RunningKeyQuestion[]): string {
  const { graph } = reader;
  if (graph === undefined) return "";
  const service = serviceOf(unit);
  const patterns = keys.map((key) => {
    const source = sourceOf(reader, unit, key);
    if (source === null) return null;
    const names = usersOf(graph, source.scope, new Set([source.key])).get(service) ?? [];
    return [...names].map((name) => [name, patternOf(graph, { service, name }, source, "")]);
  });
  return createHash("sha256").update(JSON.stringify(patterns)).digest("base64url");
}

const NOT_LOOKED: RunningFound = { state: "unreadable", reason: "it was not read who takes it from here" };
const NOT_SHOWN = "Railway does not show what the deployment was started with";
