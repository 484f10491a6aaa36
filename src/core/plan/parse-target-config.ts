/** What lockstep.yaml says of a target, read by its kind's schema. */
import type { z } from "zod";
import { LockstepError } from "../errors.ts";

type Path = readonly (string | number)[];

/** Throws CONFIG_INVALID for the first thing that is wrong, with its path below the target's name in `details.path`. */
export function parseConfig<Schema extends z.ZodType>(schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).map((step) => (typeof step === "number" ? step : String(step)));
  throw invalidAt(path, wordsOf(issue));
}

/** For what a schema cannot say. `what` follows the path's last key: "is missing", "may hold ASCII alone". */
export function invalidAt(path: Path, what: string): LockstepError {
  return new LockstepError("CONFIG_INVALID", what, { details: { path: [...path] } });
}

function wordsOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") return `does not know ${issue.keys.join(", ")}`;
  if (issue?.code === "invalid_type" && issue.message.endsWith("received undefined")) return "is missing";
  return issue?.message ?? "is not valid";
}
