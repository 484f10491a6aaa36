/** What the resolvers of one request work with. */
import type { SimulatorBehaviour } from "../options.ts";
import type { Patches } from "../world/patches.ts";
import type { Platform } from "../world/platform.ts";
import type { World } from "../world/world.ts";
import type { Access } from "./caller.ts";
import type { Views } from "./views.ts";

/** What a fault does to the execution itself. */
export interface Effects {
  readonly writesBehind: number;
  readonly ignoreWrites: boolean;
}

export const NO_EFFECTS: Effects = { writesBehind: 0, ignoreWrites: false };

export interface RequestContext extends Record<PropertyKey, unknown> {
  readonly world: World;
  readonly platform: Platform;
  readonly patches: Patches;
  readonly behaviour: SimulatorBehaviour;
  readonly access: Access;
  readonly views: Views;
  readonly effects: Effects;
}
