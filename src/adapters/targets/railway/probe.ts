/** `target test` for Railway: does the token live, does it reach this place, and does the place exist. */
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { ProbeCheck, ProbeResult } from "../../../core/ports/target.ts";
import { environmentAnswer, projectTokenAnswer, readAnswer } from "./answers.ts";
import type { RailwayClient } from "./client.ts";
import type { RailwayConfig } from "./config.ts";
import { observe } from "./observe.ts";

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
      const { message, hint } = toLockstepError(error);
      checks.push({ name, ok: false, message: `${message} ${hint}` });
      break;
    }
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}

async function checkToken(
  client: RailwayClient,
  config: RailwayConfig,
  target: string,
  signal: AbortSignal,
): Promise<string> {
  if ((await client.tokenKind(signal)) === "account") return "an account or workspace token";
  const { projectToken } = readAnswer(
    projectTokenAnswer,
    await client.read("ProjectToken", {}, signal),
    target,
  );
  if (projectToken.projectId === config.project && projectToken.environmentId === config.environment)
    return "a project token of this environment";
  throw new LockstepError(
    "TARGET_CREDENTIAL_REJECTED",
    "The project token belongs to another project or environment.",
    {
      hint: `It reaches project ${projectToken.projectId}, environment ${projectToken.environmentId}.`,
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
      hint: `Its project is ${environment.projectId}.`,
    });
  }
  if (environment.deletedAt !== null)
    throw new LockstepError("TARGET_MISSING", "The environment was deleted.");
  if (!environment.canAccess) {
    throw new LockstepError(
      "TARGET_PERMISSION",
      "The environment is restricted, and the token's owner has no access.",
    );
  }
  return `environment ${environment.name.replaceAll(/[^\x20-\x7e]/g, "?")}`;
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
    : `service ${units[0]?.name ?? ""} can be read`;
}
