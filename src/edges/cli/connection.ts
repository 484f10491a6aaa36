/**
 * Finds the server: LOCKSTEP_URL with LOCKSTEP_TOKEN, or the one that runs on this machine's data directory, over its
 * socket. The admin token that lies there never leaves for an address: what listens at a port has proven nothing.
 */

import { LockstepError } from "../../core/errors.ts";
import type { CliSurroundings } from "../../settings/settings.ts";
import { ApiClient } from "./client.ts";
import { findLocalServer, readAdminToken } from "./local-line.ts";
import { overLocalLine, overUrl } from "./transport.ts";

/** Throws SERVER_UNREACHABLE, UNAUTHENTICATED, FILE_UNSAFE. */
export async function connect({ dataDirectory, url, token }: CliSurroundings): Promise<ApiClient> {
  if (url !== null) {
    if (token !== null) return new ApiClient({ transport: overUrl(url), token });
    throw new LockstepError("UNAUTHENTICATED", `Cannot speak with ${url}: LOCKSTEP_TOKEN is not set.`, {
      hint: "Set LOCKSTEP_TOKEN to a token of that server (`lockstep token create` there), or unset LOCKSTEP_URL for this machine's own.",
    });
  }
  if ((await findLocalServer(dataDirectory)) === null) {
    throw new LockstepError(
      "SERVER_UNREACHABLE",
      `Cannot find Lockstep: no server runs on ${dataDirectory}.`,
    );
  }
  return new ApiClient({
    transport: overLocalLine(dataDirectory),
    token: token ?? (await readAdminToken(dataDirectory)),
  });
}
