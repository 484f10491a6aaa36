/**
 * A place in other hands: a partner's console, a device without a network. Lockstep writes nothing there; a person is told
 * step by step what must stand there, and says when it does. What a person said is what is known of it.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { ManualKind } from "../../../core/ports/target-kind.ts";
import { parseManual, readConfig } from "./config.ts";

export const manualKind: ManualKind = {
  kind: "manual",
  delivery: "manual",

  parse: parseManual,

  destination: () => "manual",

  locationKey: (_config, placement, { environment, name }) => `manual:${environment}/${name}:${placement}`,

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

  instructions: (config) => readConfig(config).instructions,
};
