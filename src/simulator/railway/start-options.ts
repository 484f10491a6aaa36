/** What the simulator's own process can be told, as JSON: options, and a world to begin with. */
import { z } from "zod";
import { ManualClock } from "./clock.ts";
import { VARIABLES, WORLD_COMMANDS } from "./commands/world-commands.ts";
import { INSTANT, type SimulatorOptions } from "./options.ts";
import { replicaCommands } from "./replica-commands.ts";
import type { RailwaySimulator } from "./server.ts";

const ID = z.string().min(1);
const MS = z.number().nonnegative();

export const START_OPTIONS = z.strictObject({
  port: z.int().nonnegative().max(65_535).optional(),
  controlPort: z.int().nonnegative().max(65_535).optional(),
  /** Ids and tokens of what exists from the start; the rest is random. */
  defaults: z
    .strictObject({
      workspaceId: ID,
      projectId: ID,
      environmentId: ID,
      accountToken: ID,
      workspaceToken: ID,
      projectToken: ID,
    })
    .partial()
    .optional(),
  /** "manual": time moves by the command `state.advance` alone. */
  clock: z.enum(["real", "manual"]).optional(),
  /** "instant": no time is spent in any state. */
  durations: z
    .union([
      z.literal("instant"),
      z
        .strictObject({
          initializingMs: MS,
          buildingMs: MS,
          deployingMs: MS,
          sleepAfterMs: MS,
          restartingMs: MS,
          secondMs: MS,
          applyingMs: MS,
        })
        .partial(),
    ])
    .optional(),
  rateLimit: z
    .strictObject({
      limit: z.int().nonnegative(),
      windowMs: z.int().positive(),
      perSecond: z.int().positive().nullable(),
      resetFormat: z.enum(["epoch-seconds", "iso-date"]),
    })
    .partial()
    .optional(),
  behaviour: z
    .strictObject({
      deleteStartsDeployment: z.boolean(),
      deleteMissing: z.enum(["error", "ok"]),
      emptyStrings: z.enum(["store", "drop"]),
      snapshotForm: z.enum(["rendered", "unrendered"]),
      sealedInSnapshot: z.enum(["null", "absent", "value"]),
      etagFollowsVariables: z.boolean(),
      projectTokenListsDeployments: z.boolean(),
      drainingIsActive: z.boolean(),
      deploymentThrottle: z
        .strictObject({ max: z.int().positive(), windowMs: z.int().positive() })
        .nullable(),
      maxPageSize: z.int().positive(),
    })
    .partial()
    .optional(),
  /** Programs to run for services, by name. */
  processes: z
    .record(
      z.string(),
      z.strictObject({ command: z.array(z.string()).min(1), readyWhenItPrints: z.string().optional() }),
    )
    .optional(),
  world: z
    .strictObject({
      shared: VARIABLES.optional(),
      services: z.array(WORLD_COMMANDS.addService.input).optional(),
      tokens: z.array(WORLD_COMMANDS.addToken.input).optional(),
    })
    .optional(),
});

export type StartOptions = z.input<typeof START_OPTIONS>;

export function toSimulatorOptions(options: z.output<typeof START_OPTIONS>): SimulatorOptions {
  const { port, clock, defaults, durations, rateLimit, behaviour, processes } = options;
  return {
    ...(port === undefined ? {} : { port }),
    ...(clock === "manual" ? { clock: new ManualClock() } : {}),
    ...(defaults === undefined ? {} : { defaults: defined(defaults) }),
    ...(durations === undefined ? {} : { durations: durations === "instant" ? INSTANT : defined(durations) }),
    ...(rateLimit === undefined ? {} : { rateLimit: defined(rateLimit) }),
    ...(behaviour === undefined ? {} : { behaviour: defined(behaviour) }),
    ...(processes === undefined ? {} : { onDeploymentStarted: replicaCommands(processes) }),
  };
}

export function populate(simulator: RailwaySimulator, { world }: z.output<typeof START_OPTIONS>): void {
  if (world?.shared !== undefined) simulator.state.setShared({ variables: world.shared });
  for (const token of world?.tokens ?? []) simulator.state.addToken(token);
  for (const service of world?.services ?? []) simulator.state.addService(service);
}

type Defined<Type> = { [Key in keyof Type]?: Exclude<Type[Key], undefined> };

/** Without keys that hold undefined: they would hide a default. */
function defined<Type extends object>(options: Type): Defined<Type> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<Type>;
}
