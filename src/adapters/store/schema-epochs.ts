/** What was given under which order, and the epochs that a person began. */
import type { Generated } from "kysely";
import type { JsonObject } from "../../core/ports/target.ts";
import type { Jsonb } from "./schema-parts.ts";

export interface GivenOrderTable {
  digest: string;
  target_id: string;
  epoch: number;
  generation: number;
  given_at: Generated<Date>;
}

export interface EpochEntryTable {
  epoch: number;
  signed: string;
  reason: string;
  actor: Jsonb<JsonObject>;
  begun_at: Generated<Date>;
}
