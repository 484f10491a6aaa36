/** How things stand, in the words of the protocol. Level: it may be lost or repeated, and the next one says all again. */
import {
  type Bundle,
  MAX_INCIDENTS,
  MAX_ITEMS,
  MAX_REFUSED,
  type Report,
  type ReportedUnit,
} from "../../../protocol/agent/messages.ts";
import { CHILD_KEY, unitName } from "../../../protocol/agent/unit-name.ts";
import type { AgentRecord, UnitRecord } from "../cache/record.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";

/** Of the bundle that is in use. Cut to what the protocol takes: a part that is told is better than nothing. */
export function makeReport({ records, facts }: AgentContext, bundle: Bundle, allowed: Allowed): Report {
  const { push, unit, seen, refused, answers, newer, copies, incidents, lookedBy } = records.now;
  return {
    v: 1,
    epoch: bundle.epoch,
    generation: bundle.generation,
    orderDigest: bundle.orderDigest,
    digest: bundle.digest,
    look: lookedBy,
    push: endedPush(push),
    seen: seen.slice(0, MAX_ITEMS),
    units: unitsOf(unit, bundle, allowed),
    refused: refused.slice(0, MAX_REFUSED),
    ...(answers.length === 0 ? {} : { answers }),
    ...(newer.length === 0 ? {} : { newer: [...newer] }),
    ...(copies.copies.length + copies.unread.length === 0 ? {} : { copies }),
    incidents: incidents.slice(0, MAX_INCIDENTS),
    facts,
  };
}

function endedPush(push: AgentRecord["push"]): Report["push"] {
  if (push === null || push.ended === null) return null;
  const { pushId, before, ended } = push;
  return { pushId, before: before.slice(0, MAX_ITEMS), ...ended };
}

function unitsOf(unit: UnitRecord | null, { activate, digest }: Bundle, allowed: Allowed): ReportedUnit[] {
  const wanted = unitName(activate);
  // What restarted under the configuration before is nobody's business any more.
  if (unit !== null && (unit.key === CHILD_KEY || unit.key === wanted)) {
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
