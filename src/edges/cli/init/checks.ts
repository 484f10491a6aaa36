/**
 * What `init` can find out through the server, and what it has to take on trust: everything that was not checked is
 * said at the end. Without a server (or without the right to ask it) the answers are still written down.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Cli } from "../cli.ts";
import type { ApiClient } from "../client.ts";

export interface Checks {
  /** Null: nobody to ask. */
  readonly api: ApiClient | null;
  /** Null: not known. */
  readonly targetKinds: readonly string[] | null;
  readonly unchecked: string[];
  /** What works already or must be done on a host, as its test says. */
  readonly todo: string[];
}

const NOBODY_TO_ASK = ["SERVER_UNREACHABLE", "UNAUTHENTICATED", "FORBIDDEN"];

export async function openChecks(cli: Cli): Promise<Checks> {
  const rest = { unchecked: [], todo: [] };
  try {
    const api = await cli.api();
    const { kinds } = await api.call("listTargetKinds");
    return { api, targetKinds: kinds, ...rest };
  } catch (error) {
    if (!(error instanceof LockstepError) || !NOBODY_TO_ASK.includes(error.code)) throw error;
    cli.output.note(`note: ${error.message}`);
    cli.output.note("      The answers are written to the file, but nothing can be looked up or tested.");
    return { api: null, targetKinds: null, ...rest };
  }
}
