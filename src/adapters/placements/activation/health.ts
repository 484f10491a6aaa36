/** One try of the configured health check; the caller comes again. Null: healthy, or nothing to check. */

import type { ActivationProgress } from "../../../core/ports/activator.ts";
import type { Host } from "../../../core/ports/host.ts";
import type { Health } from "./config.ts";

const TRY_TIMEOUT_MS = 10_000;

export async function judgeHealth(
  host: Host,
  health: Health | null,
  requestedAgoMs: number,
  signal: AbortSignal,
): Promise<ActivationProgress | null> {
  if (health === null) return null;
  const { exitCode } = await host.run(health.command, { timeoutMs: TRY_TIMEOUT_MS }, signal);
  if (exitCode === 0) return null;
  const reason = `its health check ended with ${exitCode === null ? "a signal" : exitCode}`;
  if (requestedAgoMs >= health.withinSeconds * 1_000)
    return { state: "failed", id: null, reason: `${reason}, for ${health.withinSeconds} s` };
  return { state: "running", id: null, reason };
}
