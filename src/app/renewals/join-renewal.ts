/** Waits for what another process asks an issuer for, and answers with what became of it. */
import { CATALOGUE } from "../../core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import type { RenewalState } from "../../core/store/renewals.ts";
import { pause } from "../../lib/pause.ts";
import type { AppContext } from "../base/context.ts";
import type { Introduced } from "../versions/introduce-version.ts";

const LOOK_MS = 200;

export type Joined =
  | { readonly state: "renewed"; readonly introduced: Introduced; readonly expiresAtMs: number | null }
  | { readonly state: "failed"; readonly error: LockstepError }
  /** Whoever asked has died, or nothing is known of the end: it is for others to ask. */
  | { readonly state: "left" };

/** Null: nobody asks now. Ends with the request's lease at the latest. */
export async function joinRenewal(
  context: AppContext,
  secretId: string,
  signal: AbortSignal,
): Promise<Joined | null> {
  const { renewals } = context.store.read;
  const before = (await renewals.find(secretId))?.state;
  if (before === undefined || !before.isTaken || before.attempt === null) return null;
  const { id } = before.attempt;
  for (;;) {
    const now = (await renewals.find(secretId))?.state;
    if (now === undefined) return { state: "left" };
    if (now.attempt?.id !== id) return await outcome(context, secretId, { before, now, id });
    if (!now.isTaken) return { state: "left" };
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

interface Ended {
  readonly before: RenewalState;
  readonly now: RenewalState;
  readonly id: string;
}

async function outcome(
  { store: { read } }: AppContext,
  secretId: string,
  { before, now, id }: Ended,
): Promise<Joined> {
  const { made, failed } = now;
  if (made !== null && made.version > (before.made?.version ?? 0)) {
    const rollouts = [await read.rollouts.openOf(secretId), await read.rollouts.lastOf(secretId)];
    const rolloutId = rollouts.find((one) => one?.toVersion === made.version)?.id ?? null;
    return {
      state: "renewed",
      introduced: { secretId, version: made.version, rolloutId, joined: id },
      expiresAtMs: made.expiresAtMs,
    };
  }
  if (failed !== null && failed.atMs !== before.failed?.atMs)
    return { state: "failed", error: new LockstepError(codeOf(failed.code), failed.message) };
  return { state: "left" };
}

/** Of a later release: unknown here. */
function codeOf(code: string): ErrorCode {
  return Object.hasOwn(CATALOGUE, code) ? (code as ErrorCode) : "ISSUER_UNAVAILABLE";
}
