/** What `target test` says of the own token: until when it lives, and whether that is soon. */
import { toldBeforeMs } from "../../../../core/ends-soon.ts";
import { LockstepError } from "../../../../core/errors.ts";
import { durationText } from "../../../../lib/age.ts";
import type { OwnToken, Vault } from "../../../vault/vault.ts";
import { creationAnswer, readAnswer } from "./answers.ts";

export interface Judging {
  readonly login: "token" | "approle";
  /** Null: nobody knows. */
  readonly createdAt: Date | null;
  readonly now: Date;
  readonly target: string;
}

/** Throws TARGET_CREDENTIAL_REJECTED for a token that ends by being used, or soon. */
export function judgeToken(own: OwnToken, { login, createdAt, now, target }: Judging): string {
  const refuse = (why: string, hint: string): LockstepError =>
    new LockstepError("TARGET_CREDENTIAL_REJECTED", `The token of target "${target}" ${why}.`, { hint });
  if (own.usesLeft > 0)
    throw refuse(
      `ends after ${own.usesLeft === 1 ? "one more use" : `${own.usesLeft} more uses`}`,
      login === "token"
        ? "Give one without a limit of uses (`vault token create` without `-use-limit`)."
        : "Let the role's tokens have no limit of uses (`token_num_uses=0`).",
    );
  // An AppRole logs in anew whenever its token ends.
  if (login === "approle") return "logged in by AppRole; it logs in anew when its token ends";
  if (own.kind === "root")
    return "the root token, which may do everything; one with a policy for this path alone would do";
  const endsAt = own.endsForGoodAt ?? (own.renewable ? null : own.endsAt);
  if (endsAt === null)
    return own.endsAt === null
      ? "a token that does not end"
      : "a token that is renewed by itself, as long as a server or a worker runs";
  const leftMs = endsAt.getTime() - now.getTime();
  if (leftMs > toldBeforeMs(endsAt, createdAt)) return `a token that lives until ${endsAt.toISOString()}`;
  const left =
    leftMs <= 0 ? "has ended" : `ends for good in ${durationText(leftMs)} (${endsAt.toISOString()})`;
  throw refuse(
    `${left}, and no renewal goes beyond`,
    "Give a new one and run `lockstep apply`; a periodic token (`vault token create -period=24h`) or an `appRole` needs none.",
  );
}

export async function readCreation(vault: Vault, signal: AbortSignal): Promise<Date | null> {
  const call = { method: "GET", path: ["auth", "token", "lookup-self"], writes: false } as const;
  const seconds = readAnswer(creationAnswer, (await vault.call(call, signal)).body)?.data.creation_time;
  return seconds === undefined ? null : new Date(seconds * 1_000);
}
