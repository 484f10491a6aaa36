/** Handlers for the configuration. */
import { applyConfig } from "../../../app/config/apply-config.ts";
import { importSecret } from "../../../app/config/import-secret.ts";
import { knownDestinations } from "../../../app/config/known-destinations.ts";
import { planConfig } from "../../../app/config/plan-config.ts";
import type { CONFIG_OPERATIONS } from "../../../protocol/api-config.ts";
import { assertMay } from "../caller.ts";
import type { Handlers } from "../routes.ts";

export const configHandlers: Pick<Handlers, keyof typeof CONFIG_OPERATIONS> = {
  plan: async ({ body }, { context, caller, signal }) => {
    // It chooses where the server connects to.
    if (body.askNew === true) assertMay(caller, "config.apply");
    return planConfig(context, caller.actor, body, signal);
  },
  knownDestinations: ({ body }, { context, caller }) => knownDestinations(context, caller.actor, body),
  apply: ({ body }, { context, caller, signal }) => applyConfig(context, caller.actor, body, signal),
  importSecret: ({ body }, { context, caller, signal }) => importSecret(context, caller.actor, body, signal),
};
