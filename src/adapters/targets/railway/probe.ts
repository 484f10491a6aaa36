/** `target test` for Railway: does the token live, does it reach this place, and does the place exist. */
import { LockstepError } from "../../../core/errors.ts";
import { failedCheck } from "../../../core/failed-check.ts";
import type { Exposure, ProbeCheck, ProbeResult } from "../../../core/ports/target.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import type { RailwayClient } from "./client.ts";
import type { RailwayConfig } from "./config.ts";
import type { UnitReader } from "./deployments/units.ts";
import { findExposures } from "./variables/exposures.ts";
import { observe } from "./variables/observe.ts";
import { accountTokenAnswer, environmentAnswer, projectTokenAnswer, readAnswer } from "./wire/answers.ts";

export async function probe(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const checks: ProbeCheck[] = [];
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ["token", () => checkToken(client, config, target, signal)],
    ["environment", () => checkEnvironment(client, config, target, signal)],
    ["variables", () => checkVariables(client, config, target, signal)],
  ];
  for (const [name, run] of steps) {
    try {
      checks.push({ name, ok: true, message: await run() });
    } catch (error) {
      checks.push(failedCheck(name, error));
      break;
    }
  }
  const ok = checks.every((check) => check.ok);
  const exposures = ok ? await seeExposures({ client, config, target }, signal) : null;
  return { ok, checks, ...(exposures === null ? {} : { exposures }) };
}

/** In addition: a token that does not reach so far can do all that is needed. */
async function seeExposures(reader: UnitReader, signal: AbortSignal): Promise<readonly Exposure[] | null> {
  try {
    return await findExposures(reader, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

async function checkToken(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<string> {
  const kind = await client.tokenKind(signal);
  const answer = await client.identify(kind, signal);
  if (kind === "account") {
    const { workspaces } = readAnswer(accountTokenAnswer, answer, target).apiToken;
    const names = workspaces.map(({ name }) => visibleLine(name)).join(", ");
    return `an account or workspace token that reaches ${names || "no workspace"}; a project token of this environment would reach less`;
  }
  const { projectId, environmentId } = readAnswer(projectTokenAnswer, answer, target).projectToken;
  if (projectId === config.project && environmentId === config.environment)
    return "a project token of this environment";
  throw new LockstepError(
    "TARGET_CREDENTIAL_REJECTED",
    "The project token belongs to another project or environment.",
    {
      hint: `It reaches project ${visibleLine(projectId)}, environment ${visibleLine(environmentId)}: use a token of this environment, or correct the ids.`,
    },
  );
}

async function checkEnvironment(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<string> {
  const answer = await client.read("Environment", { environmentId: config.environment }, signal);
  const { environment } = readAnswer(environmentAnswer, answer, target);
  if (environment.projectId !== config.project) {
    throw new LockstepError("TARGET_MISSING", "The environment belongs to another project.", {
      hint: `Its project is ${visibleLine(environment.projectId)}; correct \`project\` or \`environment\`.`,
    });
  }
  if (environment.deletedAt !== null)
    throw new LockstepError("TARGET_MISSING", "The environment was deleted.");
  if (!environment.canAccess) {
    throw new LockstepError(
      "TARGET_PERMISSION",
      "The environment is restricted, and the token's owner has no access.",
      {
        hint: "Ask an administrator of the workspace for access, or use a project token of this environment.",
      },
    );
  }
  return `environment ${visibleLine(environment.name)}`;
}

async function checkVariables(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<string> {
  const { units } = await observe(client, config, target, [], signal);
  return config.service === null
    ? "the shared scope can be read"
    : `service ${visibleLine(units[0]?.name ?? "")} can be read`;
}
