/** Turns a bundle's names into what the host's policy says they mean. Call `checkPolicy` first. */
import {
  type Activation,
  activateSchema,
  type Health,
  healthSchema,
} from "../../../adapters/placements/activation/config.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { Policy } from "./policy.ts";

/** Throws POLICY_REFUSED for a name that the policy does not have, BUNDLE_REFUSED for what is no activation at all. */
export function resolveActivation(
  { activate, health }: Pick<Bundle, "activate" | "health">,
  policy: Policy,
): { readonly activate: Activation | null; readonly health: Health | null } {
  const parsedActivation = activateSchema
    .nullable()
    .safeParse(activate === null ? null : { ...activate, ...named(activate.command, policy) });
  const parsedHealth = healthSchema
    .nullable()
    .safeParse(health === null ? null : { ...health, ...named(health.command, policy) });
  if (!parsedActivation.success || !parsedHealth.success) {
    throw new LockstepError("BUNDLE_REFUSED", "The bundle names a restart or a health check that cannot be.");
  }
  return { activate: parsedActivation.data, health: parsedHealth.data };
}

function named(name: string | undefined, policy: Policy): { readonly command?: readonly string[] } {
  if (name === undefined) return {};
  const command = Object.hasOwn(policy.commands, name) ? policy.commands[name] : undefined;
  if (command === undefined)
    throw new LockstepError("POLICY_REFUSED", `The host's policy has no command "${name}".`);
  return { command };
}
