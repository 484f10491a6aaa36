/** `lockstep renew`, and `rotate` of an issued secret: the next token now, for a person who waits for it. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { pause } from "../../lib/pause.ts";
import { startStopwatch } from "../../lib/stopwatch.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import type { Introduced } from "../versions/introduce-version.ts";
import { joinRenewal } from "./join-renewal.ts";
import { type Renewal, renewSecret } from "./renew-secret.ts";

/** Who asks waits for the command line's time, less what an issuer may take to answer. */
const JOIN_WITHIN_MS = 50_000;
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;

/**
 * Joins a request that is under way: its outcome is the answer, and `joined` names it. Throws NOT_FOUND, INPUT_INVALID without
 * an issuer, what the issuer throws, and RENEWAL_BUSY when its turn does not come in time.
 */
export async function renewNow(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  { again = false }: { readonly again?: boolean },
  signal: AbortSignal,
): Promise<Introduced & { readonly expiresAt: Date | null }> {
  const { id, policy } = await findSecret(context, secret);
  if (policy.issue === null) {
    throw new LockstepError("INPUT_INVALID", `Cannot renew "${secret.name}": no issuer makes its values.`, {
      hint: `Use \`lockstep rotate ${secret.name}\`, or give it an \`issue:\` in lockstep.yaml.`,
    });
  }
  const elapsedMs = startStopwatch();
  for (;;) {
    // What is under way is what is asked for: its end is the answer.
    const joined = await joinRenewal(context, id, signal);
    if (joined?.state === "renewed") return shown(joined);
    if (joined?.state === "failed") throw joined.error;
    const renewal = await renewSecret(context, actor, id, again ? "again" : "now", signal);
    if (renewal.state === "renewed") return shown(renewal);
    if (renewal.state === "failed" && renewal.error.code !== "RENEWAL_BUSY") throw renewal.error;
    // It was overtaken, or has to wait for its turn: a person waits that long.
    if (elapsedMs() > JOIN_WITHIN_MS) throw busy(secret, renewal);
    const untilMs = renewal.state === "waits" ? renewal.untilMs : null;
    const leftMs = (untilMs ?? 0) - context.clock.now().getTime();
    await pause(Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, leftMs)), signal);
    signal.throwIfAborted();
  }
}

function shown({
  introduced,
  expiresAtMs,
}: {
  readonly introduced: Introduced;
  readonly expiresAtMs: number | null;
}): Introduced & { readonly expiresAt: Date | null } {
  return { ...introduced, expiresAt: expiresAtMs === null ? null : new Date(expiresAtMs) };
}

function busy({ name }: SecretName, renewal: Exclude<Renewal, { readonly state: "renewed" }>): LockstepError {
  const why = renewal.state === "waits" ? renewal.why : "another process asks for it again and again";
  return new LockstepError("RENEWAL_BUSY", `Cannot renew "${name}" now: ${why}.`);
}
