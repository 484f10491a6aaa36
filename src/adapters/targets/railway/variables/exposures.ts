/**
 * Who else Railway gives a target's variables to: builds of its own, which run whatever a repository says, and the
 * environments of pull requests, which are copies of one environment, sealed variables left out (Railway's docs,
 * guides/build-time-vs-runtime-secrets.md and variables.md).
 */
import type { Exposure } from "../../../../core/ports/target.ts";
import type { RailwayConfig } from "../config.ts";
import type { UnitReader } from "../deployments/units.ts";
import { moreVariables, projectPreviews, readAnswer, serviceSource, tokenPreviews } from "../wire/answers.ts";
import { allListed } from "../wire/pages.ts";

type Previews = ReturnType<typeof projectPreviews.parse>["project"];

export async function findExposures(reader: UnitReader, signal: AbortSignal): Promise<readonly Exposure[]> {
  const [isBuilt, isCopied] = await Promise.all([
    isBuiltThere(reader, signal),
    readPreviews(reader, signal).then((previews) => isBase(previews, reader.config)),
  ]);
  const { mayReach = [] } = reader.config;
  const found: Exposure[] = [];
  if (isBuilt) found.push({ to: "builds", except: [] });
  if (isCopied) found.push({ to: "pull-requests", except: await sealedNames(reader, signal) });
  return found.filter(({ to }) => !mayReach.includes(to));
}

/** What is deployed from an image was built elsewhere. */
async function isBuiltThere({ client, config, target }: UnitReader, signal: AbortSignal): Promise<boolean> {
  if (config.service === null) return false;
  const input = { environmentId: config.environment, serviceId: config.service };
  const { serviceInstance } = readAnswer(serviceSource, await client.read("Source", input, signal), target);
  return serviceInstance.source?.image == null && serviceInstance.latestDeployment !== null;
}

/** A project token is asked about its own project: it need not reach any other way to it. */
async function readPreviews({ client, config, target }: UnitReader, signal: AbortSignal): Promise<Previews> {
  if ((await client.tokenKind(signal)) === "project")
    return readAnswer(tokenPreviews, await client.read("TokenPreviews", {}, signal), target).projectToken
      .project;
  const input = { projectId: config.project };
  return readAnswer(projectPreviews, await client.read("ProjectPreviews", input, signal), target).project;
}

/** Where no base is chosen, the primary environment is copied. */
function isBase(previews: Previews, { environment }: RailwayConfig): boolean {
  const { prDeploys, botPrEnvironments, baseEnvironmentId, primaryEnvironmentId } = previews;
  return (prDeploys || botPrEnvironments) && (baseEnvironmentId ?? primaryEnvironmentId) === environment;
}

async function sealedNames(
  { client, config, target }: UnitReader,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const input = { environmentId: config.environment };
  const first = readAnswer(moreVariables, await client.read("MoreVariables", input, signal), target);
  const listed = await allListed(client, config, first.environment.variables, target, signal);
  return listed.flatMap(({ name, isSealed, serviceId }) =>
    isSealed && serviceId === config.service ? [name] : [],
  );
}
