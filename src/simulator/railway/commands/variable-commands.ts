/** Variables behind the API's back: what a person changes in the dashboard, and what is really stored. */
import { z } from "zod";
import type { Simulation } from "../simulation.ts";
import { parsePatch, readPatch } from "../world/environment-config.ts";
import { SHARED } from "../world/variable-store.ts";
import { command } from "./command.ts";
import { listed, VARIABLES } from "./world-commands.ts";

const SCOPE = {
  environmentId: z.string().optional(),
  /** Id or name; null: the shared scope. */
  service: z.string().nullable(),
};

export const VARIABLE_COMMANDS = {
  /** Stored at once; with `deploy` it also starts what the dashboard would start. */
  setVariables: command(
    z.strictObject({ ...SCOPE, variables: VARIABLES, deploy: z.boolean().optional() }),
    (simulation, input) => {
      const { environment, scope } = scopeOf(simulation, input);
      simulation.platform.store(environment, [{ scope, set: listed(input.variables) }]);
      if (input.deploy === true) {
        simulation.platform.deployAffected(environment, scope, Object.keys(input.variables), "person");
      }
    },
  ),

  removeVariables: command(
    z.strictObject({ ...SCOPE, names: z.array(z.string()), deploy: z.boolean().optional() }),
    (simulation, input) => {
      const { environment, scope } = scopeOf(simulation, input);
      simulation.platform.store(environment, [{ scope, remove: input.names }]);
      if (input.deploy === true)
        simulation.platform.deployAffected(environment, scope, input.names, "person");
    },
  ),

  /** Everything that is stored, as written, sealed values opened. */
  storedVariables: command(z.strictObject(SCOPE), (simulation, input): Record<string, string> => {
    const { environment, scope } = scopeOf(simulation, input);
    const stored = [...environment.variables.scope(scope).values()];
    return Object.fromEntries(stored.map(({ name, value }) => [name, value]));
  }),

  /** How many writes reached the environment's variables; a write that was lost or ignored does not count. */
  writeCount: command(
    z.strictObject({ environmentId: z.string().optional() }),
    (simulation, { environmentId }) => simulation.environment(environmentId).variables.revision,
  ),

  /** A person's edit that waits to be committed. `patch` has the shape of EnvironmentConfig. */
  stageChanges: command(
    z.strictObject({
      environmentId: z.string().optional(),
      patch: z.record(z.string(), z.unknown()),
      merge: z.boolean().optional(),
    }),
    (simulation, { environmentId, patch, merge }) => {
      simulation.patches.stage(simulation.environment(environmentId), parsePatch(patch), merge ?? true);
    },
  ),

  /** What waits, values included. */
  stagedChanges: command(
    z.strictObject({ environmentId: z.string().optional() }),
    (simulation, { environmentId }) => readPatch(simulation.environment(environmentId).staged.content, true),
  ),
};

function scopeOf(
  simulation: Simulation,
  { environmentId, service }: { environmentId?: string | undefined; service: string | null },
) {
  const environment = simulation.environment(environmentId);
  if (service === null) return { environment, scope: SHARED };
  return { environment, scope: simulation.instance(service, environmentId).service.id };
}
