/** What lockstep.yaml says of a system in other hands. Pure. */
import { z } from "zod";
import type { JsonObject } from "../../../core/json.ts";
import { parseConfig } from "../../../core/plan/parse-target-config.ts";

/** What people read, line by line; never a value. */
const instructions = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[^\p{Cf}\p{Zl}\p{Zp}\p{Co}]*$/u, "must be visible text");
const schema = z.strictObject({ manual: z.strictObject({ instructions: instructions.optional() }) });

/** Throws CONFIG_INVALID with `details.path`. */
export function parseManual(raw: unknown): { readonly config: JsonObject; readonly credentials: null } {
  return { config: parseConfig(schema, raw) as JsonObject, credentials: null };
}

/** What was stored came from `parseManual`. */
export function readConfig(config: JsonObject): { readonly instructions: string | null } {
  const { manual } = config as z.output<typeof schema>;
  return { instructions: manual.instructions ?? null };
}
