import type { SecretRecord } from "./secrets.ts";

/** A secret that rotates by schedule, by the age of its current version. */
export interface ScheduledSecret extends SecretRecord {
  readonly currentVersion: number;
  readonly ageMs: number;
  /** The database's clock, ms since the epoch. */
  readonly nowMs: number;
}

export interface ScheduleRepo {
  /** Without a rollout under way and without a failed try to wait for. Which are due is for `core/rollout/schedule.ts`. */
  candidates(): Promise<readonly ScheduledSecret[]>;
  /** Null: it is none of the candidates. */
  candidate(secretId: string): Promise<ScheduledSecret | null>;
  /** A rotation by schedule failed: not before that many ms from now. */
  postpone(secretId: string, inMs: number): Promise<void>;
}
