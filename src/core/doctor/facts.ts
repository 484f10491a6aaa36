/**
 * What doctor reasons from: what should stand where, what was settled, what was seen last, and what each place and
 * Lockstep itself said. Gathered once, by `app/doctor`; here are only facts, no judgement but the binding's state.
 */
import type { BindingState } from "../drift/state.ts";
import type { Evidence } from "../evidence.ts";
import type { CopiesSeen, FoundCopy } from "../ports/copies.ts";
import type { KeyRisk } from "../ports/key-ring.ts";
import type { QueueTrouble } from "../ports/queue.ts";
import type { Exposure } from "../ports/target.ts";
import type { ValueTrouble } from "../ports/value-store.ts";
import type { VaultTokenHealth } from "../ports/vault-token.ts";
import type { Role } from "../secret.ts";
import type { SetBack } from "../set-back.ts";
import type { Growth } from "../store-growth.ts";

export interface DoctorFacts {
  readonly now: Date;
  /** Names may exist in several environments: then printed commands say which is meant. */
  readonly severalEnvironments: boolean;
  readonly secrets: readonly SecretFacts[];
  readonly targets: readonly TargetFacts[];
  /** Nothing is moved any more, because of what was met there; null: it was not set back, as far as is known. */
  readonly setBack: SetBack | null;
  /** Of the server that answers. */
  readonly release: string;
  /** The store's clock less this process's, in ms, as far as it is more than the way there. */
  readonly clockSkewMs: number;
  /** Quotas of this hour that are nearly used up. */
  readonly lowBudgets: readonly {
    readonly kind: string;
    readonly remaining: number;
    readonly limit: number;
    readonly endsInMs: number;
  }[];
  /** Of the root key; `kept-elsewhere`: it is in a key ring's server; null: a store without one of its own. */
  readonly recoveryCopy: "checked" | "kept-elsewhere" | "none" | "of-another-key" | null;
  /** Those that are kept elsewhere. */
  readonly keyRings: readonly KeyRingFacts[];
  /** What is sealed, by the root keys that the server which answers has; null: a store without a key of its own. */
  readonly sealing: {
    /** It has the one that the store takes texts under. */
    readonly hasCurrent: boolean;
    /** Sealed texts under keys that it does not have. */
    readonly unopened: number;
    /** Under keys that it has, and not under the one that it was started with. */
    readonly underOthers: number;
  } | null;
  /** Of values that are kept elsewhere than in Postgres. */
  readonly values: ValueFacts;
  /** Of the process that reasons; null: no server is named. */
  readonly vaultToken: VaultTokenHealth | null;
  /** Kept on hosts for restoring, each an old value at rest; of removed targets too. */
  readonly keptCopies: readonly KeptCopyFacts[];
  /** Lockstep's own API tokens that end soon. */
  readonly endingTokens: readonly { readonly name: string; readonly endsAt: Date }[];
  /** For how long a place has waited to be looked at, in ms. */
  readonly checksLateMs: number;
  /** Of the store. `freeBytes` null: on a machine that the one who reasons does not know. */
  readonly space: {
    readonly bytes: number | null;
    readonly freeBytes: number | null;
    readonly growth: Growth | null;
  };
  /** The queue did not take a hint: the sweep does the same work, a little later. */
  readonly queueAway: boolean;
  /** Why it is away; where it is not: what is wrong with it nevertheless. */
  readonly queueTrouble?: QueueTrouble | null;
  /** Ways to people by which the last message did not arrive. */
  readonly mutedChannels: readonly { readonly name: string; readonly reason: string; readonly since: Date }[];
}

export interface KeyRingFacts {
  /** `vault-transit transit/lockstep`. */
  readonly name: string;
  /** Null: it seals and opens. */
  readonly away: { readonly since: Date; readonly message: string; readonly hint: string } | null;
  /** The oldest version that something is sealed under; null: nothing is. */
  readonly oldestNeeded: number | null;
  /** The oldest one that the ring opens; null: it does not say. */
  readonly oldestOpened: number | null;
  readonly risks: readonly KeyRisk[];
}

export interface ValueFacts {
  /** Since when the other store could not be asked, and why. */
  readonly away: { readonly since: Date; readonly reason: string } | null;
  /** Found there otherwise than they were put. */
  readonly troubled: readonly {
    readonly secret: string;
    readonly environment: string;
    readonly version: number;
    readonly trouble: ValueTrouble;
  }[];
  /** What should be gone from there, and could not be removed when that was tried last. */
  readonly owed: { readonly count: number; readonly errorCode: string | null };
  /** Values there that this store never put. */
  readonly strangers: number;
  /** Values there, on a server that was told of no such store; otherwise 0. */
  readonly unknownStore: number;
}

export interface KeptCopyFacts {
  readonly target: string;
  readonly environment: string;
  readonly file: string;
  readonly keptAt: Date;
  /** It must go; null: it may still be put back. */
  readonly owedAt: Date | null;
  /** Why it could not be removed. */
  readonly error: string | null;
}

export interface SecretFacts {
  readonly name: string;
  readonly environment: string;
  readonly current: number | null;
  readonly currentSince: Date | null;
  /** When the current value was made, and how old it may become in ms; null: nobody said. */
  readonly currentMadeAt: Date | null;
  readonly maxAgeMs: number | null;
  /** The open one. */
  readonly rollout: {
    readonly id: string;
    readonly state: "running" | "stalled";
    readonly reason: string | null;
    readonly from: number | null;
    /** When every known caller had left the old version; null: not yet. */
    readonly settlingSince: Date | null;
  } | null;
  readonly bindings: readonly BindingFacts[];
  /** Of a secret whose values an issuer makes. */
  readonly token: TokenFacts | null;
  /** Of a secret without a value: which places hold the same, largest group first; null when nobody looked. */
  readonly adoption: AdoptionFacts | null;
}

export interface TokenFacts {
  /** Null: it does not end, or there is none. */
  readonly expiresAt: Date | null;
  /** In a row. */
  readonly failures: number;
  readonly error: string | null;
  /** Nothing is tried any more until a person does something. */
  readonly mustAct: boolean;
  /** The secret that a request uses up, a refresh token; null: none. */
  readonly usedUp: string | null;
}

export interface AdoptionFacts {
  readonly groups: readonly {
    readonly label: string;
    readonly places: readonly { readonly target: string; readonly key: string; readonly role: Role }[];
  }[];
  /** Places that could not be compared. */
  readonly unknown: number;
}

export interface BindingFacts {
  readonly target: string;
  /** The secret's own unless an explicit word bound it elsewhere. */
  readonly targetEnvironment: string;
  readonly placement: string;
  readonly key: string;
  readonly role: Role;
  /** Null: the secret has no value yet. */
  readonly wanted: number | null;
  readonly settled: number | null;
  readonly settledAt: Date | null;
  readonly state: BindingState;
  /** What is known to stand there; null: nothing of ours. */
  readonly version: number | null;
  /** What was settled beside it, which a verifier accepts too; null: nothing. */
  readonly fallback: number | null;
  /** What the last look since the last write saw; null: nobody looked since. */
  readonly found: "version" | "unknown" | "absent" | "unreadable" | null;
  readonly foundReason: string | null;
  readonly observedAt: Date | null;
  readonly evidence: Evidence | null;
  /** The last real use of the version that is on its way out, by a verifier that counts; null: none is known. */
  readonly oldUse: { readonly at: Date; readonly callers: readonly string[] } | null;
  /** What was seen of its processes, where one holds less than is settled; null: none does, as far as is known. */
  readonly lacking: string | null;
  /** Further copies on the same host. */
  readonly copies: readonly FoundCopy[];
  /** The unit that has not started with what is stored, and why. */
  readonly unit: UnitFacts | null;
}

export interface UnitFacts {
  readonly name: string;
  readonly state: "waiting" | "restarting" | "blocked";
  readonly error: string | null;
}

export interface TargetFacts {
  readonly name: string;
  readonly environment: string;
  readonly kind: string;
  /** Of a host over SSH: where its key is shown. */
  readonly sshAddress: { readonly host: string; readonly port: number; readonly user: string } | null;
  readonly gaveUp: boolean;
  /** How often its drift was healed by itself within the last hour, and it is not any more. */
  readonly healsInVain: number;
  /** What restarts there, where systemd restarts it. */
  readonly systemdUnit: string | null;
  /** That unit is of the user that logs in, not of the system. Left out: of the system. */
  readonly isUserUnit?: boolean;
  /** What the last `target test` found to be wrong. */
  readonly testFailures: readonly { readonly name: string; readonly message: string }[];
  /** To whom the platform gives what stands there. */
  readonly exposures: readonly Exposure[];
  /** Named to be searched for copies, and not readable. */
  readonly unreadCopies: CopiesSeen["unread"];
  readonly sharedFiles: CopiesSeen["shared"];
  /** Of the last push. */
  readonly error: TargetError | null;
  readonly nextActionAt: Date | null;
  /** How the look of this minute went; null: none was asked for. */
  readonly look: "looked" | TargetError | null;
  /** Of a host with an agent: when it was heard last, and what its host policy refused. */
  readonly agent?: {
    readonly lastSeenAt: Date | null;
    readonly refused: readonly string[];
    /** Of the program, by its own word. */
    readonly releases: readonly string[];
    /** Off by so much, and refused for it; negative: behind. Left out: it is not. */
    readonly clockAheadMs?: number;
  };
}

export interface TargetError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
