/**
 * What people look at, read across aggregates in one statement each. Only reads; nothing decides by it. Words are
 * found in `app/views`; here are the facts.
 */

import type { Keys } from "../../lib/cursor.ts";
import type { Actor } from "../actor.ts";
import type { Evidence } from "../evidence.ts";
import type { SecretPolicy } from "../policy.ts";
import type { CopiesSeen, FoundCopy } from "../ports/copies.ts";
import type { Exposure } from "../ports/target.ts";
import type { Acceptance } from "../rollout/member.ts";
import type { RolloutView } from "../rollout/slots.ts";
import type { Role, Slot } from "../secret.ts";
import type { ActivationState } from "./activations.ts";
import type { TestFailure } from "./checks.ts";
import type { JudgementScope } from "./judgements.ts";
import type { PushItem, PushOutcome } from "./pushes.ts";
import type { RolloutRecord } from "./rollouts.ts";
import type { UsedBy } from "./targets.ts";

export interface SecretRow {
  readonly id: string;
  readonly name: string;
  readonly environment: string;
  readonly currentVersion: number | null;
  readonly currentSince: Date | null;
  /** When the current value was made. */
  readonly currentMadeAt: Date | null;
  /** Of the current version; null: it does not end by itself. */
  readonly expiresAt: Date | null;
  readonly policy: SecretPolicy;
}

export interface BindingRow {
  readonly id: string;
  readonly secretId: string;
  readonly target: string;
  readonly targetId: string;
  readonly placement: string;
  readonly key: string;
  readonly role: Role;
  readonly settled: Readonly<Partial<Record<Slot, number | null>>>;
  /** Under the present epoch; otherwise it counts as ours no more until it was seen there. */
  readonly settledInEpoch: boolean;
  readonly settledAt: Date | null;
  readonly evidence: Evidence | null;
  readonly currentVersion: number | null;
  readonly rollout: RolloutView | null;
  /** The last look at the primary slot; null: never looked at. */
  readonly found: "version" | "unknown" | "absent" | "unreadable" | null;
  readonly foundVersion: number | null;
  readonly foundReason: string | null;
  readonly observedAt: Date | null;
  /** What live requests showed last, by version; gone with the next write. */
  readonly acceptance: Readonly<Record<string, Acceptance>>;
  /** Why a running process was seen to hold less than is settled; null: none was. */
  readonly lacking: string | null;
  /** Of a verifier that counts: real uses, by version. */
  readonly usedBy: UsedBy | null;
  /** Further copies on the same host, as the last look saw them. */
  readonly copies: readonly FoundCopy[];
  readonly targetGaveUp: boolean;
  readonly targetErrorCode: string | null;
  readonly targetErrorMessage: string | null;
  /** The newest activation of each of its target's units. */
  readonly activations: readonly {
    readonly unit: string;
    readonly state: ActivationState;
    readonly errorMessage: string | null;
  }[];
  /** The binding is gone, and what it wrote is still to be deleted there. */
  readonly leftover: boolean;
}

export interface PushRow {
  readonly id: string;
  readonly target: string;
  readonly generation: number;
  readonly attempt: number;
  readonly actor: Actor;
  readonly startedAt: Date;
  /** To the microsecond. */
  readonly startedAtText: string;
  readonly endedAt: Date | null;
  readonly outcome: PushOutcome;
  readonly evidence: Evidence | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly items: readonly (Pick<PushItem, "key" | "slot" | "version" | "action" | "replaced"> & {
    readonly secret: string | null;
  })[];
}

export interface RolloutRow extends Omit<RolloutRecord, "engineVersion" | "options"> {
  readonly startedAt: Date;
  readonly phaseStartedAt: Date;
  readonly endedAt: Date | null;
}

export interface TargetRow {
  readonly id: string;
  readonly name: string;
  readonly environment: string;
  readonly kind: string;
  readonly bindings: number;
  readonly owed: boolean;
  readonly gaveUp: boolean;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly nextActionAt: Date | null;
  readonly checkedAt: Date | null;
  readonly nextCheckAt: Date;
  /** What the last `target test` found to be wrong. */
  readonly testFailures: readonly TestFailure[];
  readonly exposures: readonly Exposure[];
  /** Named to be searched for copies, and not readable. */
  readonly unreadCopies: CopiesSeen["unread"];
  readonly sharedFiles: CopiesSeen["shared"];
}

export interface ViewRepo {
  /** By environment and name. */
  secrets(filter: {
    readonly environment?: string;
    readonly secretIds?: readonly string[];
    readonly limit?: number;
    /** What follows the secret of that name, environment first. */
    readonly after?: Keys;
  }): Promise<readonly SecretRow[]>;
  /** By target, placement and key. */
  bindings(filter: {
    readonly environment?: string;
    readonly secretIds?: readonly string[];
  }): Promise<readonly BindingRow[]>;
  /** Those in the scope; the same rows in the same order. */
  bindingsWithin(scope: JudgementScope): Promise<readonly BindingRow[]>;
  /** Newest first. */
  pushes(filter: {
    readonly environment?: string;
    readonly target?: string;
    readonly secret?: string;
    readonly limit: number;
    /** What follows the push of that instant and id. */
    readonly after?: Keys;
  }): Promise<readonly PushRow[]>;
  /** Newest first. */
  rollouts(filter: {
    readonly id?: string;
    readonly environment?: string;
    readonly secret?: string;
    readonly secretIds?: readonly string[];
    readonly open?: boolean;
    readonly limit: number;
  }): Promise<readonly RolloutRow[]>;
  /** By environment and name. */
  targets(filter: {
    readonly environment?: string;
    readonly targetIds?: readonly string[];
  }): Promise<readonly TargetRow[]>;
}
