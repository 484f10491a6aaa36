/** The tables of places in other hands; see `schema.ts`, whose part this is. */
import type { Generated } from "kysely";
import type { Actor } from "../../core/actor.ts";
import type { Jsonb } from "./schema-parts.ts";

export interface ManualPlaceTable {
  target_id: string;
  placement: string;
  key: string;
  version: number;
  confirmed_by: Jsonb<Actor>;
  confirmed_at: Generated<Date>;
}

export interface ManualRevealTable {
  target_id: string;
  generation: number;
  key: string;
  actor: Jsonb<Actor>;
  revealed_at: Generated<Date>;
}
