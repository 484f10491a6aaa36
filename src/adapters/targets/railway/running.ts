/**
 * Tells which versions a service's processes were started with: by the snapshot of the deployment that serves now. It is
 * the nearest to the process that Railway's API comes: variables are fixed when a deployment starts, and replicas,
 * restarts and moves to another host keep them. Repeated at each gate, so that a rollback by somebody is seen.
 */
import type { RunningAnswer, RunningObserver, RunningQuestion } from "../../../core/ports/running.ts";
import { mapLimited } from "../../../lib/map-limited.ts";
import type { UnitDeployments } from "./answers.ts";
import { servingNow } from "./deployments.ts";
import { foundIn } from "./snapshot.ts";
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
    async look(questions, signal) {
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
  const started = await readStart(reader, { unit, deploymentId: id }, signal);
  if (started === null) return { state: "cannot-tell", reason: NOT_SHOWN };
  const names = instances.map((instance) => instance.id).sort();
  return {
    state: "lives",
    lives: [
      {
        id: [id, ...names].join("/"),
        incarnation: { deployment: id, status, instances: names },
        keys: keys.map((key) => foundIn(started, key)),
      },
    ],
  };
}

const NOT_SHOWN = "Railway does not show what the deployment was started with";
