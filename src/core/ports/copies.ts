/**
 * Where on a host a secret stands outside its own place: under the same name, or the same value under any name. Which of
 * them the unit's process gets is decided by precedence, and it is not always the one that is kept right.
 *
 * Values are compared inside: whoever looks asks `recognise` and drops the value. What leaves are names and versions.
 */
import type { Slot } from "../secret.ts";
import type { SecretValue } from "../secret-value.ts";
import type { Address } from "./place.ts";

/** One place that is kept right. */
export interface KeptPlace extends Address {
  readonly bindingId: string;
  readonly slot: Slot;
}

/** `version`: what it is of the place's secret; null: a value that the store does not know. */
export type Recognise = (
  value: SecretValue,
) => { readonly place: KeptPlace; readonly version: number } | null;

export interface CopyInterest {
  readonly places: readonly KeptPlace[];
  readonly recognise: Recognise;
}

export type CopyKind = "unit" | "environment-file" | "plist" | "compose" | "file";

export interface FoundCopy {
  readonly bindingId: string;
  readonly slot: Slot;
  readonly file: string;
  /** From 1; null where the file has no lines to speak of. */
  readonly line: number | null;
  /** The name under which it stands; null: somewhere in the text. */
  readonly key: string | null;
  readonly kind: CopyKind;
  /** Null: a value that Lockstep does not know, under the key's own name. */
  readonly version: number | null;
  /** The unit's process gets this one, and not what stands at the kept place. */
  readonly wins: boolean;
  /** Every user of the host can read it: by the file's rights, or because systemd tells what a unit says. */
  readonly open: boolean;
  /** Nothing else stands in its line: the line can go. */
  readonly alone: boolean;
}

export interface SharedFile {
  readonly file: string;
  readonly group: string;
}

export interface CopiesSeen {
  readonly copies: readonly FoundCopy[];
  /** What was named to be searched and could not be. */
  readonly unread: readonly { readonly file: string; readonly reason: string }[];
  /** Files that hold one of the values and that a group may read, not its owner's own and not root's; unless that is meant. */
  readonly shared: readonly SharedFile[];
}

export interface CopyFinder {
  /** Throws when the host could not be asked at all. Changes nothing. */
  find(interest: CopyInterest, signal: AbortSignal): Promise<CopiesSeen>;
}
