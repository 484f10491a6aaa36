import type { Actor } from "../actor.ts";
import type { BindingOptions } from "../binding-options.ts";
import type { Evidence, LadderEvidence } from "../evidence.ts";
import type { JsonObject } from "../json.ts";
import type { Address } from "../ports/place.ts";
import type { Aside } from "../rollout/aside.ts";
import type { Acceptance } from "../rollout/member.ts";
import type { RolloutView } from "../rollout/slots.ts";
import type { Role, Slot } from "../secret.ts";

export interface TargetRecord {
  readonly id: string;
  readonly environmentId: string;
  readonly environment: string;
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  readonly credentialsSealed: string | null;
  readonly destination: string;
  /** The store's, at the time of reading: its orders belong to it. */
  readonly epoch: number;
  readonly generation: number;
  /** The target is owed work while it is behind `generation`: some intent was not brought to it yet. */
  readonly settledGeneration: number;
  readonly attempts: number;
  readonly inFlightUntil: Date | null;
  readonly gaveUpAt: Date | null;
  /** Who asked for the generation that is owed or settled. */
  readonly intentActor: Actor | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** When its agents were last requested to report; ms since the epoch. */
  readonly reportRequestedAtMs: number | null;
}

/** Writes of unknown outcome that may still land. */
export interface InFlight {
  /** For how long, by the database's clock; 0: none. */
  readonly leftMs: number;
  /**
   * The digest of the order that all of them were sent under; only its half that names the content, where they were of one
   * content under several numbers; null: of several contents, or nobody knows.
   */
  readonly digest: string | null;
  /** The stored end of that time, as exact as the store has it: who changes it says what it was. */
  readonly until: string | null;
}

export interface Lease {
  readonly target: TargetRecord;
  /** Fencing token: results are recorded under it only. */
  readonly token: number;
  readonly inFlight: InFlight;
}

/** What a live binding means for the loop, read in one snapshot with its secret and open rollout. */
export interface LoopBinding {
  readonly id: string;
  readonly secretId: string;
  readonly secretName: string;
  readonly placement: string;
  readonly key: string;
  readonly fallbackKey: string;
  readonly role: Role;
  readonly template: string | null;
  readonly takeOver: boolean;
  readonly options: BindingOptions;
  readonly settled: Readonly<Partial<Record<Slot, number>>>;
  readonly settledDigest: string | null;
  /** Settled under the present epoch: what an earlier one settled is ours no more until it was seen there again. */
  readonly settledInEpoch: boolean;
  /** By version: what its service said when it was asked. Of what is settled alone. */
  readonly acceptance: Readonly<Record<string, Acceptance>>;
  /** When the last observation began; ms since the epoch. */
  readonly observedAtMs: number | null;
  /** The fallback key there was written by us, so it may be deleted when nothing belongs there any more. */
  readonly wroteFallback: boolean;
  readonly currentVersion: number | null;
  /** The open one that moves its secret. */
  readonly rollout: (RolloutView & { readonly id: string; readonly engineVersion: number }) | null;
  /** In place of what that rollout asks for. */
  readonly aside: Aside | null;
}

/** A key whose binding is gone and whose value may be deleted there, because Lockstep wrote it. */
export interface PrunableKey {
  readonly place: string;
  readonly placement: string;
  readonly key: string;
  readonly slot: Slot;
  readonly bindingId: string;
  readonly secretId: string;
  readonly template: string | null;
}

export interface Settlement {
  /** The generation that was computed; null leaves the target owed. */
  readonly generation: number | null;
  readonly attempts: number;
  /** From now; null: nothing to do by itself. */
  readonly nextActionInMs: number | null;
  readonly gaveUp: boolean;
  readonly error: { readonly code: string; readonly message: string } | null;
  /**
   * The outcome of this run's own write is known: of what may still land, that is left which was in flight before it.
   * "as-is": nobody knows.
   */
  readonly inFlight: "as-is" | { readonly marked: string | null; readonly left: InFlight };
}

export interface SettledBinding {
  readonly bindingId: string;
  readonly settled: Readonly<Partial<Record<Slot, number>>>;
  /** "<slot>=<version>,…": what evidence belongs to. */
  readonly digest: string;
  /** Replaces what was known when the digest changed or keys were written; otherwise never lowers it. */
  readonly evidence: LadderEvidence;
  /** Keys that were written by us, as opposed to found equal. */
  readonly written: readonly Address[];
  /** What we wrote as fallback stands there no more. */
  readonly fallbackGone: boolean;
}

/** By version: ISO 8601 of the store's clock, and the callers as they named themselves. */
export type UsedBy = Readonly<Record<string, { readonly at: string; readonly callers: readonly string[] }>>;

/** What was observed of a binding at one moment, for the gates of rollouts and for `status`. */
export interface BindingObservation {
  readonly bindingId: string;
  /** What was expected there: an observation is dropped when other slots were settled meanwhile. */
  readonly settledDigest: string | null;
  /** From `MetaRepo.storeNow`, before anything was asked. */
  readonly beganAtMs: number;
  /** From the evidence before, what it is now. Pure. */
  readonly judge: (before: Evidence | null) => {
    readonly evidence: Evidence | null;
    readonly lacks: boolean;
    readonly reason: string | null;
  };
  /** Null: nobody can look into processes there. */
  readonly lives: JsonObject | null;
  /** Null: nobody asked; what was told before stays. */
  readonly acceptance: Readonly<Record<string, Acceptance>> | null;
  readonly used: Readonly<Record<string, string>> | null;
  readonly usedBy: UsedBy | null;
}

export interface TargetRepo {
  /** Ids that owe work now and are not leased. */
  due(limit: number): Promise<readonly string[]>;
  /** Whoever changes this target, or locks it as well, waits until this transaction has ended. */
  lock(targetId: string): Promise<void>;
  findById(targetId: string): Promise<TargetRecord | null>;
  /** Live ones of these. */
  findAll(targetIds: readonly string[]): Promise<readonly TargetRecord[]>;
  findByName(environment: string, name: string): Promise<TargetRecord | null>;
  /** Null when somebody else holds it or it is gone. */
  lease(targetId: string, owner: string, leaseMs: number): Promise<Lease | null>;
  /**
   * For an agent's target, whose writer is its agent: takes the lease whoever holds it, because that one only tells the
   * agent. Null when the target is gone.
   */
  leaseForAgent(targetId: string, owner: string, leaseMs: number): Promise<Lease | null>;
  /** False when the lease was lost. */
  renewLease(targetId: string, token: number, leaseMs: number): Promise<boolean>;
  /** `digest`: of the order that is about to be sent. Answers the end of the time, as stored. Throws LEASE_LOST. */
  markInFlight(
    targetId: string,
    token: number,
    sending: { readonly digest: string | null; readonly inFlightMs: number },
  ): Promise<string | null>;
  /**
   * A write of whoever lost the lease may have landed after a newer one, or may still: the target is owed anew, so that
   * no gate opens before it was looked at, and nothing counts before `inFlightMs` are over.
   */
  distrust(targetId: string, inFlightMs: number, actor: Actor): Promise<void>;
  /** Records the end of a run and lets the lease go. Throws LEASE_LOST. */
  settle(targetId: string, token: number, settlement: Settlement): Promise<void>;
  /** New intent: clears backoff and giving up. Answers the new generations by target id. Throws STORE_SET_BACK. */
  bumpGenerations(targetIds: readonly string[], actor: Actor): Promise<ReadonlyMap<string, number>>;
  /** The same intent under a number of its own, above `above`. Answers it. Throws LEASE_LOST. */
  raiseGeneration(targetId: string, token: number, above: number): Promise<number>;
  /** Every target is to be visited under the new epoch, and leases of the old one count no more. Answers the targets. */
  beginEpoch(actor: Actor): Promise<readonly string[]>;
  /**
   * Leases a target whose unit is blocked, to put back what stood there before, under a generation of its own that
   * stays owed: the change is still wanted. Null when other intent came or somebody works there.
   */
  leaseForRestore(targetId: string, owner: string, leaseMs: number): Promise<Lease | null>;
  /** What was put back is not what was settled: nothing is known of the target's bindings until the next push. */
  dropEvidence(targetId: string): Promise<void>;
  /** True when every live binding of every secret bound here is bound here alone: no other place can disagree. */
  standsAlone(targetId: string): Promise<boolean>;
  /** A person's resume: the same intent is tried again now. */
  resume(targetIds: readonly string[]): Promise<void>;

  bindings(targetId: string): Promise<readonly LoopBinding[]>;
  bindingTargets(secretId: string): Promise<readonly string[]>;
  prunable(targetId: string): Promise<readonly PrunableKey[]>;
  settleBindings(targetId: string, generation: number, bindings: readonly SettledBinding[]): Promise<void>;
  /** An agent's unit runs with what is settled: these bindings' evidence rises to that, and never falls. */
  raiseReported(bindingIds: readonly string[], evidence: "deployed" | "running"): Promise<void>;
  /** An activation ended well: what was settled at its unit's targets before it was requested is `deployed`. */
  raiseAfterActivation(activationId: string): Promise<void>;
  recordObservation(observation: BindingObservation): Promise<void>;
  /** Agents of these targets are to observe their machine again and report. */
  requestReports(targetIds: readonly string[]): Promise<void>;
  /**
   * Targets with a binding that an open rollout moves, whose agents have answered a request for a report that was not
   * observed since. Short-lived agents that were silent for `silentMs` count no more. What was settled after the request
   * is not asked about: such an observation would be dropped.
   */
  unobserved(filter: {
    /** This one alone. */
    readonly targetId?: string;
    readonly silentMs: number;
    readonly limit: number;
  }): Promise<readonly string[]>;
  dropOwnership(places: readonly { readonly place: string; readonly key: string }[]): Promise<void>;
}
