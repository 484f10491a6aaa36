/**
 * A place in other hands: a partner's console, a device without a network. Lockstep writes nothing there; a person is told
 * step by step what must stand there, and says when it does. What a person said is what is known of it.
 */
import { z } from "zod";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { ManualKind } from "../../../core/ports/target-kind.ts";

/** What people read, line by line; never a value. */
const instructions = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[^\p{Cf}\p{Zl}\p{Zp}\p{Co}]*$/u, "must be visible text");
const schema = z.strictObject({ manual: z.strictObject({ instructions: instructions.optional() }) });

export const manualKind: ManualKind = {
  kind: "manual",
  delivery: "manual",

  parse(raw) {
    const parsed = schema.safeParse(raw);
    if (parsed.success) return { config: parsed.data as JsonObject, credentials: null };
    const [issue] = parsed.error.issues;
    throw new LockstepError("CONFIG_INVALID", issue?.message ?? "is not valid", {
      details: { path: [...(issue?.path ?? [])] },
    });
  },

  destination: () => "manual",

  place: (_config, placement, { environment, name }) => `manual:${environment}/${name}:${placement}`,

  resolvePlacement(_config, file) {
    if (file === undefined) return "";
    throw new LockstepError("CONFIG_INVALID", "a manual target has no files; leave `file` out", {
      details: { path: ["file"] },
    });
  },

  // `deployed` is a person's word: whoever confirms a step says that the place uses it.
  capabilities: () => ({
    maxEvidence: "deployed",
    readable: false,
    deletable: true,
    conditionalWrite: false,
    inFlightMs: 0,
  }),

  assertHoldable() {},

  instructions: (config) => {
    const { manual } = config as z.output<typeof schema>;
    return manual.instructions ?? null;
  },
};
