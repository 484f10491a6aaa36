/** One kind of target: what it knows of a configuration without touching the world, and how it opens a target. */
import type { LadderEvidence } from "../evidence.ts";
import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";
import type { Address, UnitSpec } from "./place.ts";
import type { Target } from "./target.ts";
import type { TargetContext } from "./target-context.ts";
import type { TargetRemark } from "./target-remark.ts";

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

export interface Machine {
  /** Null: nobody reaches it over SSH, or it is not known how. */
  readonly ssh: { readonly host: string; readonly port: number; readonly user: string } | null;
  /** What restarts there. Null: no unit of systemd. */
  readonly systemd: { readonly unit: string; readonly isUser: boolean } | null;
}

export interface TargetName {
  readonly environment: string;
  readonly name: string;
}

/** By `delivery`: who brings values there, and by whom it is known what stands there. */
export type TargetKind = DirectKind | AgentKind | ManualKind;

/** Workers dial it: they look, write and restart. */
export interface DirectKind extends KindRules {
  readonly delivery: "direct";
  /** Asks nobody yet: a target that is away can be opened. */
  open(config: JsonObject, credentials: JsonObject | null, context: TargetContext): Target;
}

/** Nobody dials it. Its agent asks what it must hold, writes, restarts, and reports what stands there. */
export interface AgentKind extends KindRules {
  readonly delivery: "agent";
}

/** Only a person reaches it, and says what stands there. */
export interface ManualKind extends KindRules {
  readonly delivery: "manual";
  /** What that person reads before each step; null: nothing. */
  instructions(config: JsonObject): string | null;
}

/** What a kind knows before anything is opened: pure, and total over parsed configuration. */
export interface KindRules {
  readonly kind: string;

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
   * kinds whose places have no address other than their target.
   */
  locationKey(config: JsonObject, placement: string, owner: TargetName): string;

  /** The placement of a binding that names none (the only file); throws CONFIG_INVALID when that is not clear. */
  resolvePlacement(config: JsonObject, file: string | undefined): string;

  capabilities(config: JsonObject): TargetCapabilities;

  /** The machine behind it, for commands that a person copies. Absent: there is none that anybody could log in to. */
  machine?(config: JsonObject): Machine;

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
}
