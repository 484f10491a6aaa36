/** What use cases are given. Built once, in `composition/compose.ts`. */
import type { RandomOptions } from "../../core/generate.ts";
import type { AgentNotifier } from "../../core/ports/agent-notifier.ts";
import type { Channel } from "../../core/ports/channel.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { Issuer } from "../../core/ports/issuer.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { Prober } from "../../core/ports/prober.ts";
import type { Job, Queue } from "../../core/ports/queue.ts";
import type { RailwayExplorer } from "../../core/ports/railway-explorer.ts";
import type { Fingerprinter, Sealer } from "../../core/ports/sealer.ts";
import type { RequestBudget } from "../../core/ports/target-context.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import type { Telemetry } from "../../core/ports/telemetry.ts";
import type { UsageReader } from "../../core/ports/usage-reader.ts";
import type { ValueStores } from "../../core/ports/value-store.ts";
import type { VaultToken } from "../../core/ports/vault-token.ts";
import type { Retention } from "../../core/retention.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { Store } from "../../core/store/store.ts";
import type { FollowUps } from "./follow-ups.ts";

/** The key that a host shows to this machine, without logging in. Throws TARGET_UNREACHABLE, TARGET_PROTOCOL, UNSUPPORTED. */
export type ReadHostKey = (
  address: { readonly host: string; readonly port: number },
  signal: AbortSignal,
) => Promise<{
  readonly type: string;
  /** base64, as in known_hosts. */
  readonly key: string;
  /** `SHA256:…`, as OpenSSH prints it. */
  readonly fingerprint: string;
}>;

/** Where a process may die between two steps that belong together; fault tests kill it there. */
export type Checkpoint =
  | "leased"
  | "observed"
  | "intent"
  | "written"
  | "read-back"
  | "activation-intent"
  | "activated"
  | "recorded"
  | "renewal-intent"
  | "renewal-answered"
  | "value-intent"
  | "value-put"
  | "value-removal"
  | "value-removed"
  | "values-moved"
  | "rewrap-begun"
  | "rewrap-sealed"
  | "rewrap-page"
  | "rewrap-own";

/** All in milliseconds. */
export interface LoopTiming {
  /** A lease outlives a healthy worker's renewals three times over. */
  readonly leaseMs: number;
  readonly sweepMs: number;
  /** From the intent's commit to the first byte sent: what a busy process needs, and no more. */
  readonly sendWithinMs: number;
  /** Pauses before each further look when a read-back does not show the write yet. */
  readonly readBackDelaysMs: readonly number[];
  /** How long a unit waits for further changes before it restarts, and at most. */
  readonly quietMs: number;
  readonly maxQuietMs: number;
  /** After that, a requested activation of which nothing is to be seen counts as never started. */
  readonly notStartedAfterMs: number;
  readonly activationDeadlineMs: number;
  readonly minPollMs: number;
  readonly maxPollMs: number;
  readonly retryFailedActivationMs: number;
  /** A phase of a rollout that takes longer is told to a person. */
  readonly lateAfterMs: number;
  /** How often a member of a rollout is looked at that does not show what it should. */
  readonly relookMs: number;
  /** How often verifiers are watched while callers move, and while the old version settles. */
  readonly watchMs: number;
  readonly settleWatchMs: number;
}

export const DEFAULT_TIMING: LoopTiming = {
  leaseMs: 30_000,
  sweepMs: 2_000,
  sendWithinMs: 5_000,
  readBackDelaysMs: [500, 1_000, 2_000, 4_000],
  quietMs: 5_000,
  maxQuietMs: 30_000,
  notStartedAfterMs: 30_000,
  activationDeadlineMs: 15 * 60_000,
  minPollMs: 3_000,
  maxPollMs: 20_000,
  retryFailedActivationMs: 30_000,
  lateAfterMs: 30 * 60_000,
  relookMs: 10_000,
  watchMs: 30_000,
  settleWatchMs: 5 * 60_000,
};

/** Secrets of ours that this process has opened and keeps in memory. Lost with it; nothing rests on it. */
export interface OpenedTexts {
  /** Credentials of channels, by what they are bound to and the sealed text. */
  readonly channels: Map<string, string>;
  /** The store's keys between it and its agents, by name. */
  readonly storeKeys: Map<string, Promise<unknown>>;
}

/** After commit. Answers the jobs that the queue refused, for whoever does them itself. `context`: of the caller. */
export type Dispatch = (context: AppContext, followUps: FollowUps) => Promise<readonly Job[]>;

export interface AppContext {
  readonly store: Store;
  readonly storeId: string;
  /** Names the root key that a recovery copy can be made of; null: the root is kept elsewhere. Tells nothing of it. */
  readonly rootKeyId: string | null;
  readonly sealer: Sealer;
  readonly opened: OpenedTexts;
  readonly fingerprinter: Fingerprinter;
  readonly values: ValueStores;
  /** Null: no Vault server is named in the settings. */
  readonly vaultToken: VaultToken | null;
  /** Constant-time equality. */
  readonly sameValue: (left: SecretValue, right: SecretValue) => boolean;
  readonly queue: Queue;
  readonly agentNotifier: AgentNotifier;
  /** For `transact` and `dispatch` of base/transaction.ts; the policy is that of jobs/dispatch.ts. */
  readonly dispatch: Dispatch;
  /** The store's: the same in every process. */
  readonly clock: Clock;
  /** This machine's, as others see it. */
  readonly ownClock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly budget: RequestBudget;
  readonly makeRandom: (options: RandomOptions) => SecretValue;
  readonly targetKinds: ReadonlyMap<string, TargetKind>;
  /** By the name that a secret's `issue` gives. */
  readonly issuers: ReadonlyMap<string, Issuer>;
  /** Ways to people, by kind. */
  readonly channels: Readonly<Record<"slack" | "webhook" | "email", Channel>>;
  /** Asks services from where the server is. */
  readonly prober: Prober;
  readonly usageReader: UsageReader;
  readonly readHostKey: ReadHostKey;
  readonly railwayExplorer: RailwayExplorer;
  /** From now on the log cannot show this: for credentials that come with a request and are never sealed. */
  readonly hideFromLog: (credential: SecretValue) => void;
  readonly timing: LoopTiming;
  readonly revisionMarker: boolean;
  readonly retention: Retention;
  /** Bytes that are free where the store keeps its files; null: they are on a machine that this process does not know. */
  readonly freeDisk: (() => Promise<number>) | null;
  /** Of this program, as package.json says. */
  readonly release: string;
  /** Names this process in leases. */
  readonly processId: string;
  readonly checkpoint: (point: Checkpoint) => Promise<void>;
  /** In [0, 1): jitter only, nothing secret. */
  readonly random: () => number;
}
