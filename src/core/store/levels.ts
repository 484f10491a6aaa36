/**
 * How many things are in which state now: numbers for people who watch, never a name. Every label is one of a closed
 * set, so that their number does not grow with the store.
 */

/** How long something lasts already. `never`: it has not happened yet. */
export const AGES = [
  "up_to_1m",
  "up_to_10m",
  "up_to_1h",
  "up_to_1d",
  "up_to_7d",
  "over_7d",
  "never",
] as const;
export type Age = (typeof AGES)[number];

/** How long something is still good for. */
export const TIMES_LEFT = ["ended", "up_to_1h", "up_to_1d", "up_to_7d", "up_to_30d", "over_30d"] as const;
export type TimeLeft = (typeof TIMES_LEFT)[number];

/** Of some things that have the same labels. */
interface Level {
  readonly count: number;
  /** Of the one that lasts longest, in seconds; for what ends: until the first one does. Null: there is none. */
  readonly seconds: number | null;
}

export interface StoreLevels {
  /** `gave_up` needs a person. */
  readonly targets: readonly (Level & {
    readonly kind: string;
    readonly state: "settled" | "owed" | "gave_up";
  })[];
  /** Since when a target does not hold what it should; also of those that gave up. */
  readonly owed: readonly (Level & { readonly kind: string; readonly age: Age })[];
  /** Since the last check of a target by schedule or by request. */
  readonly checks: readonly (Level & { readonly kind: string; readonly age: Age })[];
  /** Of those that have not ended, and of those that need a person (`blocked`). */
  readonly activations: readonly (Level & {
    readonly kind: string;
    readonly state: "owed" | "requested" | "blocked";
  })[];
  /** Of open ones, since their phase began. */
  readonly rollouts: readonly (Level & {
    readonly phase: string;
    readonly state: "running" | "stalled";
    readonly age: Age;
  })[];
  /** `issued`: current values that end. `api`: tokens for this API that end. */
  readonly tokens: readonly (Level & { readonly of: "issued" | "api"; readonly left: TimeLeft })[];
  readonly alerts: readonly (Level & { readonly kind: string; readonly level: string })[];
  /** Active ones, since their last report and since their last request of any kind. */
  readonly agentReports: readonly (Level & { readonly age: Age })[];
  readonly agentContacts: readonly (Level & { readonly age: Age })[];
  /** Work whose time has come and that nobody has begun; `seconds`: how late the oldest is. */
  readonly due: readonly (Level & { readonly job: "reconcile" | "activate" | "follow" | "advance" })[];
}

export interface LevelRepo {
  /** One statement, so one moment. Reads what is, by indexes; history is not touched. */
  read(): Promise<StoreLevels>;
}
