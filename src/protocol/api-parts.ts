/** Words that several operations share. Names follow the store's; instants are ISO 8601 in UTC. */
import { z } from "zod";
import { isInstantCursor, readCursor } from "../lib/cursor.ts";

export const instant = z.iso.datetime();
export const name = z.string().min(1).max(200);
export const id = z.string().min(1).max(100);

/** A limit in a query string. */
export const limit = z.coerce.number().int().min(1).max(500);

/** `next` of the page before; passed back as it came. */
const CURSOR_NEEDED = "is not the `next` of an earlier answer of this list";
export const cursor = z.string().refine((text) => readCursor(text) !== null, CURSOR_NEEDED);
export const instantCursor = z.string().refine(isInstantCursor, CURSOR_NEEDED);
/** Null: nothing follows. */
export const next = z.string().nullable();

export const bindingState = z.enum([
  "in-sync",
  "owed",
  "stale",
  "foreign",
  "missing",
  "leftover",
  "shadowed",
  "unreadable",
]);

export const evidence = z.enum(["acknowledged", "stored", "deployed", "running", "proven", "attested"]);
export const strategy = z.enum(["overlap", "swap", "issued", "replace"]);
export const role = z.enum(["verifier", "caller", "both"]);
export const rolloutState = z.enum(["running", "stalled", "done", "failed", "abandoned"]);

export const actor = z.object({
  kind: z.enum(["token", "system", "local", "agent"]),
  id: z.string(),
  name: z.string(),
  via: z.array(z.string()).readonly().exactOptional(),
});

export const boundStatus = z.object({
  target: z.string(),
  key: z.string(),
  role,
  /** What is known to stand there; null: nothing of ours. */
  version: z.int().nullable(),
  /** What stands beside it while the secret moves; null: nothing. */
  fallback: z.int().nullable(),
  state: bindingState,
  evidence: evidence.nullable(),
  observedAt: instant.nullable(),
  placement: z.string(),
  /** In words, when the state is not `in-sync`. */
  reason: z.string().nullable(),
  /** What the service itself said when it was asked last, by version. */
  accepts: z
    .array(
      z.object({
        version: z.int(),
        verdict: z.enum(["accepted", "refused", "cannot-tell"]),
        at: instant.nullable(),
      }),
    )
    .exactOptional(),
  /** `owed`, and nothing more happens by itself: a person must act. */
  stuck: z.literal(true).exactOptional(),
});
export type BoundStatus = z.output<typeof boundStatus>;

export const failure = z.object({ code: z.string(), message: z.string() });

/** Every error of the API, RFC 9457. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  hint: z.string(),
  details: z.record(z.string(), z.json()),
});
export type Problem = z.output<typeof problem>;
