/**
 * The token by which this process speaks to the Vault server that keeps its keys or values. Each process has one of its
 * own: what is told here is of the process that asks, and of no other.
 */
export interface VaultToken {
  /** What is known without asking the server. */
  health(): VaultTokenHealth;
}

/** How the process shows who it is: which setting a person must act on. */
export type VaultLogIn =
  | { readonly kind: "token" | "token-file" }
  | {
      readonly kind: "secret-id" | "secret-id-file" | "wrapped-secret-id";
      /** Of the auth method. */
      readonly mount: string;
    };

export interface VaultTokenHealth {
  readonly logIn: VaultLogIn;
  /** What is kept there, for people: `the key ring vault-transit transit/lockstep`. */
  readonly keeps: readonly string[];
  /** `refused`: a person must act. `failing`: not renewed, or no log-in, and tried again by itself. */
  readonly state: "unused" | "good" | "failing" | "refused";
  /** One is held, and serves until its end whatever failed since. */
  readonly isHeld: boolean;
  /** Null: not told. */
  readonly madeAt: Date | null;
  /** Null: never, or not told. */
  readonly endsAt: Date | null;
  /** No renewal goes beyond, and a person must give another; null: none known, or a log-in replaces it. */
  readonly endsForGoodAt: Date | null;
  /** Null: without limit. */
  readonly usesLeft: number | null;
  /** `reason`: in our own words, to stand within a sentence. `hint`: what fixes it, a sentence; null: nothing special. */
  readonly failure: { readonly reason: string; readonly hint: string | null } | null;
}
