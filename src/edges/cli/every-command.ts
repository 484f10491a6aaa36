/** The commands of the whole of Lockstep. */
import type { CommandSet } from "./command-set.ts";
import { buildProgram } from "./syntax/program.ts";

export const EVERY_COMMAND: CommandSet = {
  build: buildProgram,
  connect: async (surroundings) => (await import("./connection.ts")).connect(surroundings),
  orientation: async () => (await import("./commands/orientation.ts")).run,
};
