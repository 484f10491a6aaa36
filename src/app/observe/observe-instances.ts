/** Which versions the running instances of a target's units hold, compared with what is settled. */

import type { JsonObject } from "../../core/json.ts";
import type { UserUnit } from "../../core/ports/place.ts";
import type { RunningAnswer, RunningFound, RunningInstance } from "../../core/ports/running.ts";
import type { Target, TargetObservation } from "../../core/ports/target.ts";
import type { RunningVerdict } from "../../core/rollout/judge-observation.ts";
import { SLOTS, type Slot } from "../../core/secret.ts";
import type { AppContext } from "../base/context.ts";
import type { KnownBinding } from "../desired/known-values.ts";

export interface InstancesObservation {
  readonly verdict: RunningVerdict;
  /** Processes that share what was seen; 1 where nobody tells. */
  readonly replicas: number;
  /** As it is stored: ids and version names. */
  readonly stored: JsonObject;
}

/** What restarts with a place, and what else takes keys from it. */
export type RunningUnits = Pick<TargetObservation, "units" | "users">;

/** By binding; empty where nobody can look into processes. */
export async function observeInstances(
  context: AppContext,
  target: Target,
  { units: restarting, users = [] }: RunningUnits,
  known: readonly KnownBinding[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, InstancesObservation>> {
  const isUser = new Set(users.map(({ key }) => key));
  const units = [...restarting.filter(({ key }) => !isUser.has(key)), ...users];
  if (target.running === undefined || units.length === 0) return new Map();
  const keys = known.flatMap(({ binding: { placement, key, fallbackKey }, versions }) => [
    { placement, key, candidates: versions },
    { placement, key: fallbackKey, candidates: versions },
  ]);
  const answers = await target.running.observe(
    units.map((unit) => ({ unit, keys })),
    signal,
  );
  context.log.debug("instances", { states: answers.map(({ state }) => state) });
  return new Map(
    known.map(({ binding }, index) => {
      const seen = answers.map((answer) => seenOf(answer, index));
      const own = seen.slice(0, seen.length - users.length);
      const takers = users.flatMap((user, at) => {
        const one = seen[own.length + at];
        const takes = user.keys.includes(binding.key) || user.keys.includes(binding.fallbackKey);
        return takes && one !== undefined ? [{ user, seen: one }] : [];
      });
      const names = takers.map(({ user }) => user.name);
      return [
        binding.id,
        {
          verdict: worstOf([
            verdictOf(own, binding.settled),
            ...takers.map((taker) => verdictOnUser(taker.user, taker.seen, binding.settled)),
          ]),
          stored: { ...storedOf(own), ...(names.length === 0 ? {} : { takenBy: names }) },
          replicas: replicasOf(answers.slice(0, own.length)),
        },
      ];
    }),
  );
}

function replicasOf(answers: readonly RunningAnswer[]): number {
  const counts = answers.flatMap((answer) =>
    answer.state === "running"
      ? answer.instances.map(({ incarnation: { instances } }) =>
          Array.isArray(instances) ? instances.length : 1,
        )
      : [],
  );
  return Math.max(1, ...counts);
}

type Held = Readonly<Record<Slot, RunningFound>>;

/** What one unit shows of one binding. */
export type ObservedUnit =
  | { readonly state: "running"; readonly instances: readonly { readonly id: string; readonly held: Held }[] }
  | Exclude<RunningAnswer, { readonly state: "running" }>;

const UNANSWERED: RunningFound = { state: "unreadable", reason: "the place gave no answer for this key" };

function seenOf(answer: RunningAnswer, index: number): ObservedUnit {
  if (answer.state !== "running") return answer;
  const heldBy = ({ keys }: RunningInstance): Held => ({
    primary: keys[2 * index] ?? UNANSWERED,
    fallback: keys[2 * index + 1] ?? UNANSWERED,
  });
  return {
    state: "running",
    instances: answer.instances.map((instance) => ({ id: instance.id, held: heldBy(instance) })),
  };
}

/** The worst of all instances decides: callers and verifiers are as old as their oldest process. */
export function verdictOf(
  seen: readonly ObservedUnit[],
  settled: Readonly<Partial<Record<Slot, number>>>,
): RunningVerdict {
  const verdicts = seen.flatMap((unit): RunningVerdict[] => {
    if (unit.state === "cannot-tell") return [{ state: "unseen", reason: unit.reason }];
    if (unit.state === "changing") return [{ state: "changing", reason: unit.reason }];
    if (unit.state === "dormant") return [{ state: "dormant" }];
    return unit.instances.map(({ held }) => judgeInstance(held, settled));
  });
  return worstOf(verdicts);
}

function worstOf(verdicts: readonly RunningVerdict[]): RunningVerdict {
  for (const state of ["lacks", "changing", "unseen", "right"] as const) {
    const found = verdicts.find((verdict) => verdict.state === state);
    if (found !== undefined) return found;
  }
  return { state: "dormant" };
}

/** It holds only what it takes: a slot that nothing of its refers to is none of its. */
function verdictOnUser(
  { name }: UserUnit,
  seen: ObservedUnit,
  settled: Readonly<Partial<Record<Slot, number>>>,
): RunningVerdict {
  if (seen.state !== "running") return verdictOf([seen], settled);
  const verdict = worstOf(
    seen.instances.map(({ held }) => {
      const taken = SLOTS.filter((slot) => held[slot].state !== "absent");
      return judgeInstance(held, Object.fromEntries(taken.map((slot) => [slot, settled[slot]])), taken);
    }),
  );
  if (verdict.state !== "lacks") return verdict;
  return {
    ...verdict,
    reason: `${name} takes it from here by a reference, and ${verdict.reason}: it keeps that until its own next deployment`,
  };
}

function judgeInstance(
  held: Held,
  settled: Readonly<Partial<Record<Slot, number | undefined>>>,
  slots: readonly Slot[] = SLOTS,
): RunningVerdict {
  let unseen: RunningVerdict | null = null;
  for (const slot of slots) {
    const wanted = settled[slot] ?? null;
    const found = held[slot];
    if (found.state === "unreadable") {
      if (wanted !== null) unseen = { state: "unseen", reason: found.reason };
      continue;
    }
    const version = found.state === "version" ? found.version : null;
    if (version === wanted && (wanted !== null || found.state === "absent")) continue;
    if (wanted === null && found.state === "unknown") continue;
    return { state: "lacks", reason: lackText(slot, found, wanted) };
  }
  return unseen ?? { state: "right" };
}

function lackText(slot: Slot, found: RunningFound, wanted: number | null): string {
  const there =
    found.state === "version" ? `v${found.version}` : found.state === "absent" ? "nothing" : "another value";
  const beside = slot === "fallback" ? " beside it" : "";
  return wanted === null
    ? `a running process still holds ${there}${beside}`
    : `a running process holds ${there}${beside}, not v${wanted}`;
}

function storedOf(seen: readonly ObservedUnit[]): JsonObject {
  const unseen = seen.find(({ state }) => state !== "running" && state !== "dormant");
  if (unseen !== undefined && "reason" in unseen) return { state: unseen.state, reason: unseen.reason };
  const instances = seen.flatMap((unit) => (unit.state === "running" ? unit.instances : []));
  if (instances.length === 0) return { state: "dormant" };
  // As earlier releases named them: rows of theirs are read as well.
  return {
    state: "lives",
    lives: instances.map(({ id, held }) => ({
      id,
      primary: foundText(held.primary),
      fallback: foundText(held.fallback),
    })),
  };
}

function foundText(found: RunningFound): string {
  if (found.state === "version") return `v${found.version}`;
  return found.state === "unreadable" ? `unreadable: ${found.reason}` : found.state;
}
