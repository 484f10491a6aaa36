/**
 * What a configuration is compared with and applied to: secrets, targets, bindings and who owns which key. The loop
 * reads and settles the same rows through `TargetRepo`; intent is written here alone.
 */

import type { JsonObject } from "../json.ts";
import type { Role, Slot } from "../secret.ts";

export interface StoredSecret {
  readonly id: string;
  readonly environment: string;
  readonly name: string;
  /** As it is stored: a plan compares it with what is to be stored. */
  readonly policy: JsonObject;
  readonly currentVersion: number | null;
  /** A rollout of it is under way or stalled. */
  readonly moving: boolean;
  /** Not configured any more; kept with its versions in case it comes back. */
  readonly removed: boolean;
}

export interface StoredTarget {
  readonly id: string;
  readonly environment: string;
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  readonly destination: string;
  readonly credentialsSealed: string | null;
}

export interface BindingContent {
  readonly role: Role;
  readonly fallbackKey: string;
  readonly template: string | null;
  readonly optional: boolean;
  readonly drift: "report" | "heal";
  /** As `core/binding-options.ts` writes it. */
  readonly options: JsonObject;
}

export interface StoredBinding extends BindingContent {
  readonly id: string;
  readonly secretId: string;
  readonly secretEnvironment: string;
  readonly secret: string;
  readonly targetId: string;
  readonly targetEnvironment: string;
  readonly target: string;
  readonly placement: string;
  readonly key: string;
  /** The place that its primary key claims; null only for rows that never claimed one. */
  readonly place: string | null;
  readonly takeOver: boolean;
  readonly settledVersion: number | null;
}

export interface OwnedKey {
  readonly place: string;
  readonly key: string;
  readonly placement: string;
  readonly slot: Slot;
  readonly targetId: string;
  readonly target: string;
  readonly targetEnvironment: string;
  readonly bindingId: string;
  readonly secret: string;
  readonly secretEnvironment: string;
  /** False: the binding is gone; what stands there was left, or waits for its deletion (`prune`). */
  readonly live: boolean;
  /** Lockstep wrote it, as opposed to claimed or adopted it. */
  readonly written: boolean;
  readonly prune: boolean;
}

export interface StoredConfig {
  /** Those asked for that exist. */
  readonly environments: readonly string[];
  /** Of the environments asked for, removed ones included. */
  readonly secrets: readonly StoredSecret[];
  /** Of the environments asked for. */
  readonly targets: readonly StoredTarget[];
  /** Live ones whose secret or target is of the environments asked for. */
  readonly bindings: readonly StoredBinding[];
  /** Keys at live targets, whose secret or target is of the environments asked for. */
  readonly owned: readonly OwnedKey[];
}

export interface NewTarget {
  readonly environmentId: string;
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  readonly destination: string;
}

export interface NewBinding extends BindingContent {
  readonly secretId: string;
  readonly targetId: string;
  readonly placement: string;
  readonly key: string;
}

export interface Claim {
  readonly place: string;
  readonly key: string;
  readonly placement: string;
  readonly slot: Slot;
  readonly targetId: string;
  readonly bindingId: string;
}

export interface ConfigRepo {
  /** Applies of configuration happen one after the other: held until the transaction ends. */
  lockConfig(): Promise<void>;
  snapshot(environments: readonly string[]): Promise<StoredConfig>;
  /** Who owns keys at these places, in the whole store. */
  ownersAt(places: readonly string[]): Promise<readonly OwnedKey[]>;

  /** A removed target of this name comes back with its id and its generation, so that order goes on. */
  createTarget(target: NewTarget): Promise<string>;
  updateTarget(targetId: string, target: Pick<NewTarget, "kind" | "config" | "destination">): Promise<void>;
  /** Sealed with `credentialsAssociatedData(targetId, destination)`; null: it needs none. */
  setCredentials(targetId: string, credentialsSealed: string | null): Promise<void>;
  /** Only while `from` is what stands there; answers whether it was. */
  replaceCredentials(targetId: string, from: string, to: string): Promise<boolean>;
  removeTarget(targetId: string): Promise<void>;

  removeSecret(secretId: string): Promise<void>;

  createBinding(binding: NewBinding): Promise<string>;
  updateBinding(bindingId: string, content: BindingContent): Promise<void>;
  removeBinding(bindingId: string): Promise<void>;
  /** The binding's place is another one now: nothing is settled there yet. */
  forgetSettled(bindingIds: readonly string[]): Promise<void>;
  /** Spent by the next write. */
  allowTakeOver(bindingIds: readonly string[]): Promise<void>;

  /** Throws PLACE_TAKEN when a live binding owns it, naming that binding. Repeating is harmless. */
  claim(claim: Claim): Promise<void>;
  /** Gives keys up: what was only claimed is forgotten, what was written stays on record as left in place. */
  release(
    bindingId: string,
    keys: readonly { readonly place: string; readonly key: string }[],
  ): Promise<void>;
  /** Forgets keys whose place the target does not reach any more. */
  forget(bindingId: string, keys: readonly { readonly place: string; readonly key: string }[]): Promise<void>;
  /** What was left in place may be deleted by the loop. */
  prune(keys: readonly { readonly place: string; readonly key: string }[]): Promise<void>;
}
