import type { StoredValue, ValueTrouble } from "../ports/value-store.ts";
import type { VersionName } from "../secret.ts";

/** A version with where its value is. */
export interface PlacedVersion extends VersionName {
  readonly stored: StoredValue;
  readonly fingerprint: string;
}

export interface NamedVersion extends VersionName {
  readonly name: string;
  readonly createdTime: string;
}

/** A version whose value was changed or removed where it is kept. */
export interface TroubledValue extends VersionName {
  readonly secret: string;
  readonly environment: string;
  readonly trouble: ValueTrouble;
}

/** Where the values of versions are: which rows hold theirs, and which name it. */
export interface ValuePlaceRepo {
  /** Null when the version does not exist or is destroyed. */
  of(secretId: string, version: number): Promise<PlacedVersion | null>;
  /** Versions whose value is of that kind, by secret and number, after the one given. */
  page(
    kind: StoredValue["kind"],
    after: VersionName | null,
    limit: number,
  ): Promise<readonly PlacedVersion[]>;
  count(kind: StoredValue["kind"]): Promise<number>;
  /** False: its value is not where `from` says any more. */
  move(of: VersionName, from: StoredValue, to: StoredValue): Promise<boolean>;
  /** Every name that a row of the secret gives, and the highest number that it ever had; 0: no such secret or version. */
  namesOf(secretId: string): Promise<{ readonly names: ReadonlySet<string>; readonly highest: number }>;

  /**
   * Named values of versions that are in use or kept for going back, not looked at for that long: the longest waiting
   * first. They count as looked at from now on, and other processes take others.
   */
  takeUnlooked(sinceMs: number, limit: number): Promise<readonly NamedVersion[]>;
  /** Null: it is there as it was put. A version whose value is not under that name any more stays as it is. */
  recordLook(of: NamedVersion, trouble: ValueTrouble | null): Promise<void>;
  /** They were taken, and could not be looked at. */
  lookAgain(values: readonly NamedVersion[]): Promise<void>;
  /** Of versions that are not destroyed, by environment and secret. */
  troubled(limit: number): Promise<readonly TroubledValue[]>;
}
