/**
 * What is counted and timed for people who watch. Use cases say what they did; what becomes of it is the adapter's. Labels
 * are kinds, outcomes and names of our own, never a name, an address or a value of a user's. Nothing here throws, and
 * nothing waits.
 */

import type { StoreLevels } from "../store/levels.ts";
import type { PushOutcome } from "../store/pushes.ts";
import type { JobName } from "./queue.ts";

/**
 * push              one run at one target; `kind`: of the target
 * activation        the request for one restart; `kind`: of the unit
 * look              one look at one target; `kind`: of the target
 * rollout-step      one rollout as far as its gates allow; `kind`: "advance"
 * issuer-request    one request for a new value; `kind`: of the issuer
 * job               one job of the queue; `kind`: its name
 * loop              one round of what a worker repeats; `kind`: its name
 */
export const OPERATIONS = [
  "push",
  "activation",
  "look",
  "rollout-step",
  "issuer-request",
  "job",
  "loop",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** `unknown`: the answer was lost; reading back decides. `not_sent`: it failed before anything was sent. */
export type EndedPush = Exclude<PushOutcome, "started" | "superseded"> | "not_sent";
/** `failed`: it is tried again, or the changes in it are tried one by one. `blocked`: a person must act. */
export type EndedActivation = "succeeded" | "failed" | "blocked";

/** An answer for scrapers. */
export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export interface Telemetry {
  /** Times one piece of work. What throws has failed; it is thrown on. */
  during<T>(operation: Operation, kind: string, work: () => Promise<T>): Promise<T>;
  /** After the commit that says so. */
  pushEnded(kind: string, outcome: EndedPush): void;
  /** After the commit that says so. `seconds`: since it was requested; null where only the one that restarts knows: an agent. */
  activationEnded(kind: string, outcome: EndedActivation, seconds: number | null): void;
  /** From the time for which it was put into the queue until a worker begins it, by those two machines' clocks. */
  jobWaited(job: JobName, seconds: number): void;
  /** `route`: the pattern, never the address itself. */
  requestAnswered(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly seconds: number;
  }): void;
  /** Of this process, and of the store where they are given; `unknown`: the store did not answer. Null: not asked for. */
  exposition(levels: StoreLevels | "unknown" | null): Promise<Exposition>;
}
