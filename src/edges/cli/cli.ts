/** What every command is given, and how a command is attached without loading it: `--version` must not wait for all. */
import type { Command } from "commander";
import type { CliSurroundings } from "../../config.ts";
import type { ApiClient } from "./client.ts";
import type { Output } from "./output.ts";

export interface Cli {
  readonly output: Output;
  readonly surroundings: CliSurroundings;
  /** Finds the server and its token on first use. Throws SERVER_UNREACHABLE, UNAUTHENTICATED. */
  api(): Promise<ApiClient>;
  /** Aborts at Ctrl-C or when the process is asked to end. */
  readonly interrupted: AbortSignal;
}

/** Answers the exit code; nothing means 0. */
export type CommandFunction<Arguments extends readonly unknown[], Options> = (
  cli: Cli,
  parameters: Arguments,
  options: Options,
) => Promise<number | undefined>;

export type Attach = <Arguments extends readonly unknown[], Options>(
  command: Command,
  load: () => Promise<{ readonly run: CommandFunction<Arguments, Options> }>,
) => void;
