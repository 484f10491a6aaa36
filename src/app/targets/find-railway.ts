/** What a Railway token reaches, before any target uses it. Nothing is recorded: nothing changes. */
import type { FoundName, RailwayAccess, RailwayExplorer } from "../../core/ports/railway-explorer.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../base/context.ts";

export interface GivenAccess {
  readonly token: string;
  readonly endpoint?: string;
}

/** Throws what `RailwayExplorer` throws. */
export function findRailwayProjects(
  context: AppContext,
  given: GivenAccess,
  signal: AbortSignal,
): ReturnType<RailwayExplorer["projects"]> {
  return context.railwayExplorer.projects(accessOf(context, given), signal);
}

/** Throws what `RailwayExplorer` throws. */
export function findRailwayServices(
  context: AppContext,
  given: GivenAccess & { readonly environment: string },
  signal: AbortSignal,
): Promise<readonly FoundName[]> {
  return context.railwayExplorer.services(accessOf(context, given), given.environment, signal);
}

function accessOf({ hideFromLog }: AppContext, { token, endpoint }: GivenAccess): RailwayAccess {
  const access = { token: SecretValue.of(token), endpoint: endpoint ?? null };
  hideFromLog(access.token);
  return access;
}
