/** What a person is told about a renewal: it escalates as its end comes nearer, each level once, until it has succeeded. */
import type { Actor } from "../../core/actor.ts";
import { CATALOGUE } from "../../core/error-catalogue.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { levelNow } from "../../core/renewal/decide.ts";
import { isEscalation, type RenewalLevel } from "../../core/renewal/due.ts";
import { seedOf } from "../../core/seed.ts";
import type { RenewalCandidate } from "../../core/store/renewals.ts";
import type { Repositories } from "../../core/store/store.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { AppContext } from "../base/context.ts";
import { singleUseOf } from "../base/issuer-of.ts";
import { type AlertSubject, raiseAlert, resolveAlert } from "../base/raise-alert.ts";

const KIND = "renewal";

/** `again`: what is to be done is another thing now, at whatever level the thing before was told. */
export async function escalate(
  context: AppContext,
  tx: Repositories,
  candidate: RenewalCandidate,
  { again = false }: { readonly again?: boolean } = {},
): Promise<void> {
  const nowMs = context.clock.now().getTime();
  const level = levelNow(candidate, {
    nowMs,
    seed: seedOf(candidate.id, candidate.newest?.version ?? null),
  });
  if (level === null || !(again || isEscalation(level, candidate.level))) return;
  const alert = {
    kind: KIND,
    level,
    message: messageOf(candidate, level),
    remedy: remedyOf(context, candidate),
  };
  await raiseAlert(tx, subjectOf(candidate), alert);
}

export async function resolveRenewalAlert(
  tx: Repositories,
  actor: Actor,
  candidate: Pick<RenewalCandidate, "id" | "name">,
): Promise<void> {
  await resolveAlert(tx, actor, subjectOf(candidate), KIND);
}

function subjectOf({ id, name }: Pick<RenewalCandidate, "id" | "name">): AlertSubject {
  return { kind: "secret", id, name };
}

function messageOf({ name, environment, newest, state }: RenewalCandidate, level: RenewalLevel): string {
  const until = newest?.expiresAtMs == null ? null : new Date(newest.expiresAtMs).toISOString();
  const end =
    newest === null
      ? "There is no token yet"
      : level === "expired"
        ? `The token expired at ${until}: who sends it is refused`
        : until === null
          ? "The token does not end by itself"
          : `The token is good until ${until}`;
  const why = state.failed === null ? "nobody has renewed it" : state.failed.message;
  return `${name} (${environment}) is not renewed. ${end}. ${state.failures} failed in a row; the last: ${why}`;
}

function remedyOf(context: AppContext, candidate: RenewalCandidate): string {
  const { name, policy, state } = candidate;
  const used = state.lostAtMs === null ? null : singleUseOf(context, policy);
  if (used !== null)
    return `${setAnew(candidate, used)} Or risk what is there once more: \`lockstep renew ${name} --again\`.`;
  const code = state.failed?.code;
  const known = code !== undefined && code in CATALOGUE ? CATALOGUE[code as ErrorCode].hint : null;
  return (
    known?.replaceAll("NAME", name) ??
    `Look at it with \`lockstep renewals\`, and try it with \`lockstep renew ${name}\`.`
  );
}

/** What a person does about a refresh token that is not good any more; with the command as it is to be pasted. */
export function setAnew({ environment }: { readonly environment: string }, name: string): string {
  const command = shellCommand(["lockstep", "secret", "set", name, "--environment", environment]);
  return `Sign in anew at the provider, and set what it gives: \`${command}\`.`;
}
