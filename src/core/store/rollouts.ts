import type { Actor } from "../actor.ts";
import type { BindingOptions } from "../binding-options.ts";
import type { Evidence, LadderEvidence } from "../evidence.ts";
import type { JsonObject } from "../json.ts";
import type { Aside } from "../rollout/aside.ts";
import type { Acceptance } from "../rollout/member.ts";
import type { RolloutOptions } from "../rollout/options.ts";
import type { Strategy } from "../rollout/strategy.ts";
import type { Role, Slot } from "../secret.ts";

export interface RolloutRecord {
  readonly id: string;
  readonly secretId: string;
  readonly secretName: string;
  readonly environment: string;
  readonly fromVersion: number | null;
  readonly toVersion: number;
  readonly strategy: Strategy;
  readonly phase: string;
  readonly state: "running" | "stalled" | "done" | "failed" | "abandoned";
  readonly engineVersion: number;
  readonly reason: string | null;
  readonly options: RolloutOptions;
  readonly actor: Actor;
  readonly held: boolean;
  readonly urgent: boolean;
  readonly rollbackOf: string | null;
  /** All by the database's clock, in ms since the epoch. */
  readonly nowMs: number;
  readonly phaseStartedAtMs: number;
  readonly freshFromMs: number | null;
  readonly endedAtMs: number | null;
}

export interface RolloutMemberRow {
  readonly bindingId: string;
  readonly targetId: string;
  readonly target: string;
  readonly targetKind: string;
  readonly targetConfig: JsonObject;
  readonly key: string;
  readonly role: Role;
  readonly optional: boolean;
  readonly options: BindingOptions;
  readonly settled: Readonly<Partial<Record<Slot, number | null>>>;
  readonly evidence: Evidence | null;
  /** The last settled write or ended restart; ms since the epoch. */
  readonly changedAtMs: number;
  readonly observedAtMs: number | null;
  readonly observedReason: string | null;
  readonly lacks: boolean;
  /** The last answer about its processes; null: nobody has looked yet. */
  readonly lives: JsonObject | null;
  readonly acceptance: Readonly<Record<string, Acceptance>>;
  /** When a verifier last counted a use, by version; null: it does not count. */
  readonly used: Readonly<Record<string, string>> | null;
  readonly owed: boolean;
  readonly gaveUp: boolean;
  readonly errorMessage: string | null;
  /** The newest activation of each unit of its target. */
  readonly activations: readonly {
    readonly unit: string;
    readonly state: string;
    readonly errorMessage: string | null;
  }[];
  /** The place already held the new version: nothing was written, so nothing had to restart. */
  readonly adopted: boolean;
  /** Null until fixed. */
  readonly required: LadderEvidence | null;
  /** Set aside for this rollout; null: it is not. */
  readonly aside: Aside | null;
}

export interface RolloutRepo {
  start(rollout: {
    readonly secretId: string;
    readonly fromVersion: number | null;
    readonly toVersion: number;
    readonly strategy: Strategy;
    readonly phase: string;
    readonly engineVersion: number;
    readonly options: RolloutOptions;
    readonly actor: Actor;
    readonly urgent?: boolean;
    readonly rollbackOf?: string;
  }): Promise<string>;
  /** Locks the row until the transaction ends. */
  lock(rolloutId: string): Promise<RolloutRecord | null>;
  find(rolloutId: string): Promise<RolloutRecord | null>;
  openOf(secretId: string): Promise<RolloutRecord | null>;
  /** The one that ended last, well or not. */
  lastOf(secretId: string): Promise<RolloutRecord | null>;
  /**
   * Open rollouts of the secrets that are bound at a target, without those that others will move in a moment: a
   * required target of theirs is due for its first try or leased, or a unit of such a target is about to restart. A
   * thousand targets of one rollout would otherwise each look at all thousand. Whoever ends last finds none of the
   * others; the sweep looks too.
   */
  movableAtTarget(targetId: string): Promise<readonly string[]>;
  /** Open rollouts to look at again, whatever told us or did not. */
  due(limit: number): Promise<readonly string[]>;
  /** The live bindings of a secret, before it moves. */
  candidates(
    secretId: string,
  ): Promise<
    readonly Pick<
      RolloutMemberRow,
      "target" | "targetKind" | "targetConfig" | "key" | "role" | "optional" | "options"
    >[]
  >;
  /** How many members it has. */
  size(rolloutId: string): Promise<number>;
  members(rolloutId: string): Promise<readonly RolloutMemberRow[]>;
  fixGate(rolloutId: string, bindingId: string, phase: string, required: LadderEvidence): Promise<void>;
  meetGate(rolloutId: string, bindingId: string, phase: string, evidence: Evidence): Promise<void>;
  /** The looks before it count for it no more. */
  setPhase(rolloutId: string, phase: string): Promise<void>;
  /** "now": looks begun from now on are the last before the next phase. */
  setFresh(rolloutId: string, from: "now" | null): Promise<void>;
  setHeld(rolloutId: string, held: boolean): Promise<void>;
  setOptions(rolloutId: string, options: RolloutOptions): Promise<void>;
  setUrgent(rolloutId: string): Promise<void>;
  setState(rolloutId: string, state: RolloutRecord["state"], reason: string | null): Promise<void>;
  lookAgain(rolloutId: string, inMs: number): Promise<void>;
}
