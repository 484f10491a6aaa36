/** Values that are kept elsewhere: what is put and removed there, and the walk that finds what was forgotten. */
import type { Generated } from "kysely";

export interface ValueIntentTable {
  secret_id: string;
  value_name: string;
  version: number;
  aim: "kept" | "removed";
  process: string;
  created_at: Generated<Date>;
  attempts: Generated<number>;
  next_attempt_at: Date;
  error_code: string | null;
}

export interface ValueWalkTable {
  only_one: Generated<boolean>;
  next_at: Generated<Date>;
  after_secret: Generated<string>;
  strangers: Generated<number>;
  counted: Generated<number>;
  away_since: Date | null;
  away_code: string | null;
  away_reason: string | null;
}
