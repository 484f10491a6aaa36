/**
 * Every caller that is known has left the old value, and somebody still comes with it: a job, a laptop, a place that was
 * forgotten. Nobody is refused yet, because the verifier accepts both; that somebody would be, once it is retired. Pure.
 */
import { ageText } from "../../lib/age.ts";
import type { Commands } from "./commands.ts";
import { listText } from "./consequences.ts";
import type { SecretFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

/** What was under way when the last known caller left, and what its old process still sent while it drained. */
const LEAVES_WITHIN_MS = 5 * 60_000;

export function oldUses(secret: SecretFacts, now: Date, commands: Commands): readonly Finding[] {
  const { rollout, bindings } = secret;
  if (rollout === null || rollout.settlingSince === null || rollout.from === null) return [];
  // Of a known one that lags behind its own finding tells.
  if (bindings.some(({ role, state }) => role !== "verifier" && state !== "in-sync")) return [];
  const unknownFromMs = rollout.settlingSince.getTime() + LEAVES_WITHIN_MS;
  return bindings.flatMap(({ oldUse, target, targetEnvironment, key, placement }): Finding[] => {
    if (oldUse === null || oldUse.at.getTime() <= unknownFromMs) return [];
    const { callers } = oldUse;
    const who = callers.length === 0 ? "without saying who it is" : `calling itself ${listText(callers)}`;
    return [
      {
        id: "old-value-used",
        severity: "hint",
        secret: secret.name,
        target,
        key,
        placement,
        environment: targetEnvironment,
        what: `Somebody still calls ${target} with v${String(rollout.from)} of ${secret.name} (${ageText(oldUse.at.toISOString(), now)}, ${who}); every known caller sends v${String(secret.current)}.`,
        cause: `This caller is not bound to the secret, and is refused once v${String(rollout.from)} is retired. Find it, and bind it.`,
        consequence: [],
        command: commands.discover(secret),
      },
    ];
  });
}
