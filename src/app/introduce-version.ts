/**
 * Brings a new value of a secret into the store and sets everything in motion that must hold it: in one transaction
 * the version, the rollout, the targets' generations and the audit entries.
 */
import type { Actor } from "../core/actor.ts";
import type { SecretValue } from "../core/secret-value.ts";
import type { AppContext } from "./context.ts";

export interface NewValue {
  readonly environment: string;
  readonly name: string;
  /** A plain secret has the one field PLAIN_FIELD. */
  readonly fields: Readonly<Record<string, SecretValue>>;
  readonly expiresAt?: Date;
}

export interface Introduced {
  readonly secretId: string;
  readonly version: number;
  /** Null when the secret has no bindings: the version is current at once. */
  readonly rolloutId: string | null;
}

/** Throws NOT_FOUND for an unknown secret, ROLLOUT_OPEN while another change of it is under way. */
export async function introduceVersion(
  _context: AppContext,
  _actor: Actor,
  _value: NewValue,
): Promise<Introduced> {
  throw new Error("written with the loop");
}
