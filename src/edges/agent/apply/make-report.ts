/** How things stand, in the words of the protocol. Level: it may be lost or repeated, and the next one says all again. */
import type { Bundle, Report, ReportedUnit } from "../../../protocol/agent/messages.ts";
import type { AgentRecord, UnitRecord } from "../cache/record.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";
import { CHILD_KEY } from "./child-unit.ts";
import { unitName } from "./unit-record.ts";

/** Of the bundle that is in use. */
export function makeReport({ records, facts }: AgentContext, bundle: Bundle, allowed: Allowed): Report {
  const { push, unit, seen, refused, answers, newer, copies, incidents, lookedBy } = records.now;
  return {
    v: 1,
    epoch: bundle.epoch,
    generation: bundle.generation,
    digest: bundle.digest,
    look: lookedBy,
    push: endedPush(push),
    seen,
    units: unitsOf(unit, bundle, allowed),
    refused,
    ...(answers.length === 0 ? {} : { answers }),
    ...(newer.length === 0 ? {} : { newer: [...newer] }),
    ...(copies.copies.length + copies.unread.length === 0 ? {} : { copies }),
    incidents,
    facts,
  };
}

function endedPush(push: AgentRecord["push"]): Report["push"] {
  if (push === null || push.ended === null) return null;
  const { pushId, before, ended } = push;
  return { pushId, before, ...ended };
}

function unitsOf(unit: UnitRecord | null, { activate, digest }: Bundle, allowed: Allowed): ReportedUnit[] {
  if (unit !== null) {
    return [
      {
        key: unit.key,
        state: stateOf(unit),
        digest: unit.digest,
        isOwnChild: unit.key === CHILD_KEY,
        incarnation: unit.incarnation,
        error: unit.error,
      },
    ];
  }
  const wanted = unitName(activate);
  if (wanted === null || allowed.activation !== null) return [];
  const error = { code: "POLICY_REFUSED", message: `The host's owner does not allow ${wanted}.` };
  return [{ key: wanted, state: "blocked", digest, isOwnChild: false, incarnation: null, error }];
}

function stateOf({ state }: UnitRecord): ReportedUnit["state"] {
  switch (state) {
    case "owed":
    case "asking":
    case "requested":
      return "requested";
    case "retry":
      return "failed";
    case "succeeded":
    case "blocked":
    case "dormant":
      return state;
  }
}
