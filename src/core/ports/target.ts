/**
 * A place that holds secrets. One implementation per kind, in `adapters/targets/<kind>`, with the same file names:
 * target.ts client.ts errors.ts config.ts.
 *
 * A kind (`TargetKind`) knows its configuration without touching the world; an open `Target` operates. What a place
 * cannot do is said in `capabilities`, and the operation then throws UNSUPPORTED.
 */
import type { LockstepError } from "../errors.ts";
import type { LadderEvidence } from "../evidence.ts";
import type { Order } from "../order.ts";
import type { SecretValue } from "../secret-value.ts";
import type { CopyFinder } from "./copies.ts";
import type { Discoverer } from "./discoverer.ts";
import type { Prober } from "./prober.ts";
import type { Restorer } from "./restorer.ts";
import type { RunningObserver } from "./running.ts";
import type { TargetContext } from "./target-context.ts";
import type { TargetRemark } from "./target-remark.ts";
import type { UsageReader } from "./usage-reader.ts";
import type { UserUnit } from "./user-unit.ts";

/** JSON that holds no value: safe in the database, in logs and in answers of the API. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface TargetCapabilities {
  /** The best evidence that this target can ever give. */
  readonly maxEvidence: LadderEvidence;
  readonly readable: boolean;
  readonly deletable: boolean;
  /** False: an older write can land late (unfenced). Then nothing above `acknowledged` is claimed while one may be in flight. */
  readonly conditionalWrite: boolean;
  /** How long a write of unknown outcome may still land, in ms; 0 where writes are conditional. */
  readonly inFlightMs: number;
  /** A look may show what stood there before the last writes: equal is believed only where it can not be from then. */
  readonly readsLag?: true;
}

/**
 * One key at a target. `placement` is the file's path on hosts, '' where the target is one flat place, or a word of the
 * place's own where keys of one name may stand in two scopes (`shared` at Railway).
 */
export interface Address {
  readonly placement: string;
  readonly key: string;
}

export type Observed =
  /** `or`: a second value that the same bytes may stand for. */
  | { readonly state: "present"; readonly value: SecretValue; readonly or?: SecretValue }
  /** `why`: where more is known than that nothing stands there. */
  | { readonly state: "absent"; readonly why?: string }
  /** It exists but cannot be read: sealed, or no right to. `changedAt`: the place's own word on its last change. */
  | { readonly state: "unreadable"; readonly reason: string; readonly changedAt?: string }
  /** It points elsewhere (`${{shared.X}}`): somebody's arrangement, never overwritten without an explicit word. */
  | { readonly state: "reference"; readonly text: string }
  /** Looked at by the place's agent, which recognises versions and sends no value. */
  | { readonly state: "recognised"; readonly version: number }
  /** No version of ours; `nearly`: what it would be, or why nobody can say which value it is. */
  | { readonly state: "unrecognised"; readonly nearly?: string };

export interface ObservedKey extends Address {
  readonly observed: Observed;
  /** A change that somebody staged and did not commit; it would override ours. */
  readonly pendingManualChange?: boolean;
  /** What a write would be refused for, as far as a look can tell. */
  readonly obstacle?: LockstepError;
}

export interface TargetObservation {
  /** One entry for each address asked for, in that order; other keys are dropped inside the client. */
  readonly keys: readonly ObservedKey[];
  /** The revision markers found at the place: one of each of its files, or one of all. */
  readonly orders: readonly Order[];
  /** What must restart to use a change of these keys. */
  readonly units: readonly UnitSpec[];
  /** Others that take one of these keys from here: they use a change from their own next start on. Left out: none. */
  readonly users?: readonly UserUnit[];
}

/** What restarts: Railway service instance, systemd unit, … */
export interface UnitSpec {
  /** Canonical and global, for example `railway:<environment id>/<service id>`. */
  readonly key: string;
  /** For people. */
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  /** Units that one request can follow together, for example `railway:<environment id>`. */
  readonly followGroup: string;
}

export interface SetItem extends Address {
  readonly value: SecretValue;
  readonly place?: string;
}

/** What to write. Only differences; `unset` only what Lockstep wrote itself. */
export interface Change {
  readonly set: readonly SetItem[];
  readonly unset: readonly Address[];
  /** Only where there is a `restorer` that asks for it. */
  readonly keepCopies?: boolean;
}

export interface ApplyResult {
  /** "changed" also when only a part differed; "unchanged" when nothing was sent. */
  readonly outcome: "changed" | "unchanged";
}

export interface ProbeCheck {
  readonly name: string;
  readonly ok: boolean;
  /** In words, with the remedy when not ok. May hold commands to copy, already quoted. */
  readonly message: string;
}

/** The platform itself gives somebody else what the place holds, but for the keys in `except`. */
export interface Exposure {
  readonly to: "builds" | "pull-requests";
  readonly except: readonly string[];
}

export interface ProbeResult {
  readonly ok: boolean;
  readonly checks: readonly ProbeCheck[];
  /** Left out: nobody could tell. */
  readonly exposures?: readonly Exposure[];
}

/** An open target. Stateless between calls except for kept connections; safe to call concurrently. */
export interface Target {
  /** `target test`: credential, address, rights. Changes nothing. Reports failures as checks instead of throwing. */
  probe(signal: AbortSignal): Promise<ProbeResult>;

  /** Looks. Throws when it could not look at all; a single unreadable key is an answer. */
  observe(addresses: readonly Address[], signal: AbortSignal): Promise<TargetObservation>;

  /**
   * Writes all of `change` or throws. May be repeated safely. Throws TARGET_OUTCOME_UNKNOWN when something was sent
   * and no definite answer came; ORDER_REFUSED when the place carries a newer order, or the same with another digest (only
   * where writes are conditional: elsewhere the caller compares `observe().orders` directly before). Never activates anything.
   * `signal` carries the write's deadline: nothing is sent after it aborts.
   */
  apply(change: Change, order: Order, signal: AbortSignal): Promise<ApplyResult>;

  /** Restarting units; null where nothing restarts (the place is only storage). */
  readonly activator: Activator | null;

  /** Where the place keeps what stood there before a write; absent where it cannot. */
  readonly restorer?: Restorer;

  /** Looking around within the credential's reach; absent where nothing else is reached. */
  readonly discoverer?: Discoverer;

  /** Looking for copies that stand beside what is kept there; absent where nothing else can stand. */
  readonly copyFinder?: CopyFinder;

  /** Looking into the processes; absent where nothing of them can ever be seen. */
  readonly running?: RunningObserver;

  /** Asking services that listen only there (`from: target`), or by a command there; absent where neither is possible. */
  readonly prober?: Prober;
  /** Reading use counts of what listens only there. */
  readonly usageReader?: UsageReader;

  close(): Promise<void>;
}

/** Restarts units and follows them. Waiting is done by the caller: no method waits for a deployment. */
export interface Activator {
  /**
   * Ids of all incarnations that exist now. Recorded before `activate`, so that after a lost answer whatever is newer
   * is known to be ours. `dormant`: the unit has no process and must not be woken.
   */
  prepare(
    unit: UnitSpec,
    signal: AbortSignal,
  ): Promise<{ readonly knownIds: readonly string[]; readonly dormant: boolean }>;

  /**
   * Asks for exactly one restart or redeploy. `id` is its incarnation when the place names one at once. Throws
   * TARGET_OUTCOME_UNKNOWN when the answer got lost, ACTIVATION_FAILED when it failed at once.
   */
  activate(unit: UnitSpec, signal: AbortSignal): Promise<{ readonly id: string | null }>;

  /** How activations stand; one request per follow group where the place allows. One entry per asked activation, in order. */
  follow(asked: readonly FollowedActivation[], signal: AbortSignal): Promise<readonly ActivationProgress[]>;
}

export interface FollowedActivation {
  readonly unit: UnitSpec;
  readonly id: string | null;
  readonly knownIds: readonly string[];
  /** Since the request, by the store's clock: how long health has had to come. */
  readonly requestedAgoMs: number;
  /** What the unit should have been started with: compared with the snapshot where there is one. */
  readonly expected: readonly SetItem[];
}

export type ActivationProgress =
  | { readonly state: "running"; readonly id: string | null; readonly reason: string }
  /** Nothing newer than `knownIds` exists: the request never arrived, or was refused. */
  | { readonly state: "not-started"; readonly reason: string }
  /** It proves `deployed`; `stored` where nothing shows that the process took the change over (a signal). */
  | {
      readonly state: "succeeded";
      readonly id: string;
      readonly incarnation: JsonObject;
      readonly evidence?: "stored";
    }
  /** It ended well but started with other values than expected (a later or an older change won): ask again. */
  | { readonly state: "outdated"; readonly id: string; readonly reason: string }
  | { readonly state: "failed"; readonly id: string | null; readonly reason: string }
  /** A person must act (approval needed). */
  | { readonly state: "blocked"; readonly id: string | null; readonly reason: string }
  | { readonly state: "dormant"; readonly reason: string };

export interface TargetName {
  readonly environment: string;
  readonly name: string;
}

/** A kind of target before anything is opened: pure, and total over parsed configuration. */
export interface TargetKind {
  readonly kind: string;
  /**
   * Nobody dials it: its agent asks what it must hold, writes, restarts and reports. `open` is never called then, and
   * what stands there is what was reported.
   */
  readonly isReported?: true;
  /** Only a person reaches it, and says what stands there: `open` throws. */
  readonly isManual?: true;

  /** Any target follows the units of its whole follow group, as far as its credentials reach. Otherwise its own alone. */
  readonly followsGroup?: true;

  /**
   * Parses untrusted configuration of this kind into what is stored openly and what is sealed. `raw` is everything
   * below the target's name in lockstep.yaml, the kind's key included: `{ railway: {…} }`, or
   * `{ ssh: {…}, files: […], activate: {…} }`. Credentials are null when none is given: a stored one then stays.
   * Throws CONFIG_INVALID with `details.path`, a list of keys and indexes below the target's name.
   */
  parse(raw: unknown): { readonly config: JsonObject; readonly credentials: JsonObject | null };

  /** Kind, origin and pin: associated data of the sealed credentials. */
  destination(config: JsonObject): string;

  /**
   * Canonical global name of the place that `placement` is: two targets with one place collide on it. `owner` is for
   * kinds whose places have no address besides their target.
   */
  place(config: JsonObject, placement: string, owner: TargetName): string;

  /** The placement of a binding that names none (the only file); throws CONFIG_INVALID when that is not clear. */
  resolvePlacement(config: JsonObject, file: string | undefined): string;

  capabilities(config: JsonObject): TargetCapabilities;

  /** What speaks against a valid configuration: it would be carried out, and the value would not be used. */
  remarks?(config: JsonObject): readonly TargetRemark[];

  /**
   * What restarts there, where the configuration alone says so: what a target's units are is then known when it is
   * applied. Absent: only a look tells.
   */
  units?(config: JsonObject, targetId: string): readonly UnitSpec[];

  /**
   * Ways by which a service can be asked from there: `http` with `from: target`, `command`, and `file`, where its use
   * counts are read. Absent: none.
   */
  probesThere?(config: JsonObject): readonly ("http" | "command" | "file")[];

  /**
   * How often it is looked at for drift, in ms. Absent: every five minutes, which is what places with request quotas
   * can bear.
   */
  readonly checkEveryMs?: number;
  /** How many requests of an hour's quota one look costs; with many targets they are looked at less often. */
  readonly requestsPerCheck?: number;
  /** Targets of one group are looked at together, and together cost `requestsPerCheck`. */
  checkGroup?(config: JsonObject): string;

  /** Targets of one scope reach the same: one of them is asked. Absent where a kind has no `discoverer`. */
  discoveryScope?(config: JsonObject): string;

  /** Throws KEY_INVALID or VALUE_INVALID for what this place cannot hold and give back unchanged. */
  assertHoldable(config: JsonObject, address: Address, value: SecretValue | null): void;

  /**
   * Whether the stored credentials are what became of the given ones (`keepCredentials`): giving the same again then changes
   * nothing. Absent: only what is equal is the same.
   */
  cameFrom?(stored: JsonObject, given: JsonObject): boolean;

  open(config: JsonObject, credentials: JsonObject | null, context: TargetContext): Target;
}
