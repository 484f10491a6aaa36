import type { JsonObject } from "../json.ts";
import type { UnitSpec } from "../ports/place.ts";

export type ActivationState =
  | "owed"
  | "requested"
  | "succeeded"
  | "failed"
  | "blocked"
  | "dormant"
  | "superseded";

export interface ActivationRecord {
  readonly id: string;
  readonly unitId: string;
  readonly unit: UnitSpec;
  readonly targetId: string;
  readonly state: ActivationState;
  readonly digest: string;
  readonly pushIds: readonly string[];
  /** Tries that failed. */
  readonly attempts: number;
  readonly knownIds: readonly string[];
  readonly externalId: string | null;
  /** Milliseconds since the request, by the database's clock. */
  readonly requestedAgoMs: number;
  readonly pastDeadline: boolean;
  /** By which the holder of this claim is known; null: nobody holds it. */
  readonly claim: string | null;
}

/** Each claim is its own, also of one process: whoever was overtaken changes nothing any more. */
export type Claimed = Pick<ActivationRecord, "id" | "claim">;

export interface OweActivation {
  readonly unit: UnitSpec;
  readonly targetId: string;
  readonly digest: string;
  readonly pushId: string;
  /** Wait that long for other changes of the same unit, but at most `maxQuietMs` in all. */
  readonly quietMs: number;
  readonly maxQuietMs: number;
}

/** How a unit stands that an agent restarts by itself. */
export interface ReportedActivation {
  readonly unit: UnitSpec;
  readonly targetId: string;
  readonly digest: string;
  /** `owed`: a failed restart is about to be tried again. */
  readonly state: Exclude<ActivationState, "failed" | "superseded">;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incarnation: JsonObject | null;
}

/** Of units that agents restart: no worker asks for, follows or claims their activations. */
export const AGENT_UNIT = "agent";

/** `name`: as the agent knows it, `systemd:app.service` or `child`. */
export function agentUnit(targetId: string, name: string, label: string): UnitSpec {
  const of = `agent:${targetId}`;
  return { key: `${of}:${name}`, name: label, kind: AGENT_UNIT, config: {}, followGroup: of };
}

export interface UnitsNow {
  readonly targetId: string;
  readonly units: readonly UnitSpec[];
  readonly quietMs: number;
  readonly maxQuietMs: number;
}

export interface RetiredUnit {
  readonly unitId: string;
  readonly name: string;
  /** Restarts that were owed or under way and have ended with it. */
  readonly ended: number;
}

export interface ActivationRepo {
  /** Level: the same report again changes nothing. The unit's kind is `AGENT_UNIT`. True when its state is another now. */
  report(activation: ReportedActivation): Promise<boolean>;
  /** Of the units that this target's agents restart only these stay, by key, with what is known of them. */
  keepReported(targetId: string, unitKeys: readonly string[]): Promise<void>;
  /** Merges into the unit's waiting activation, if there is one. */
  owe(activation: OweActivation): Promise<void>;
  /** Units of these targets whose process was seen to hold less than is settled there: once more, as the last time. */
  oweAgain(targetIds: readonly string[]): Promise<void>;
  /**
   * A target has these units and no others. What a unit owed that no target has any more has ended, as `superseded`; where
   * another target still has it, it is that one's. New units owe what was unfinished.
   */
  keepUnits(now: UnitsNow): Promise<readonly RetiredUnit[]>;
  /** The write behind this push surely did not happen: what only it owed is owed no more. */
  withdraw(pushId: string): Promise<void>;
  /** Ids of owed activations whose targets have no write under way or in flight, and whose unit has none requested. */
  due(limit: number): Promise<readonly string[]>;
  /** Activations of a target that become due soon, and when: to be hinted at their time. */
  owedAtTarget(targetId: string): Promise<readonly { readonly id: string; readonly inMs: number }[]>;
  /** Follow groups with a requested activation to look at. */
  groupsDue(limit: number): Promise<readonly string[]>;
  /** Claims an owed activation for `leaseMs`; null when it is not due or another holds it. */
  claim(activationId: string, owner: string, leaseMs: number): Promise<ActivationRecord | null>;
  /** False when none of them is ours any more. */
  renewClaims(claimed: readonly Claimed[], leaseMs: number): Promise<boolean>;
  /** Committed before the request; the claim stays until `pollAgain`. False when the claim was lost: then nothing is asked for. */
  markRequested(
    claimed: Claimed,
    request: {
      readonly knownIds: readonly string[];
      readonly deadlineMs: number;
      readonly pollInMs: number;
    },
  ): Promise<boolean>;
  /** Throws LEASE_LOST, as all that follow a claim do. */
  recordExternalId(claimed: Claimed, externalId: string): Promise<void>;
  /** Back to owed: it was not started, or a further try is due. Throws LEASE_LOST. */
  retry(
    claimed: Claimed,
    retry: {
      readonly inMs: number;
      readonly spendsAttempt: boolean;
      readonly error: { readonly code: string; readonly message: string } | null;
    },
  ): Promise<void>;
  /** Claims a group's requested activations for following. */
  claimGroup(followGroup: string, owner: string, leaseMs: number): Promise<readonly ActivationRecord[]>;
  /** Lets the claim go. Throws LEASE_LOST. */
  pollAgain(claimed: Claimed, inMs: number): Promise<void>;
  /** Throws LEASE_LOST. */
  end(
    claimed: Claimed,
    end: {
      readonly state: Exclude<ActivationState, "owed" | "requested">;
      readonly error: { readonly code: string; readonly message: string } | null;
      readonly incarnation?: JsonObject;
    },
  ): Promise<void>;
  /** Targets that feed a unit. */
  targetsOfUnit(unitId: string): Promise<readonly string[]>;
  /** Blocked or failed activations of targets become owed again: a person's resume. */
  reopen(targetIds: readonly string[]): Promise<void>;
}
