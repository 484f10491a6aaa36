/**
 * Which commands a program has. There are two: the whole of Lockstep, and the agent's program in one file, which holds
 * the commands of a managed machine alone. Each names its own set, so that the smaller one carries nothing of the other.
 */
import type { Command } from "commander";
import type { CliSurroundings } from "../../settings/settings.ts";
import type { Attach, CommandFunction } from "./cli.ts";
import type { ApiClient } from "./client.ts";

export interface CommandSet {
  readonly build: (attach: Attach) => Command;
  /** Finds the server and its token. Throws SERVER_UNREACHABLE, UNAUTHENTICATED. */
  readonly connect: (surroundings: CliSurroundings) => Promise<ApiClient>;
  /** What no command at all answers. */
  readonly orientation: () => Promise<CommandFunction<[], unknown>>;
}
