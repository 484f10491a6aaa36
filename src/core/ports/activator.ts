/** The port for restarts: a process uses a change only from its next start on. */
import type { JsonObject } from "../json.ts";
import type { SetItem, UnitSpec } from "./place.ts";

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
