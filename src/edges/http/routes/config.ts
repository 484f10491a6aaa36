/** Handlers for the configuration. */
import { applyConfig } from "../../../app/config/apply-config.ts";
import { importSecret } from "../../../app/config/import-secret.ts";
import { planConfig } from "../../../app/config/plan-config.ts";
import type { CONFIG_OPERATIONS } from "../../../protocol/api-config.ts";
import type { Handlers } from "../routes.ts";

export const configHandlers: Pick<Handlers, keyof typeof CONFIG_OPERATIONS> = {
  plan: ({ body }, { context, caller, signal }) => planConfig(context, caller.actor, body, signal),
  apply: ({ body }, { context, caller, signal }) => applyConfig(context, caller.actor, body, signal),
  importSecret: ({ body }, { context, caller, signal }) => importSecret(context, caller.actor, body, signal),
};
