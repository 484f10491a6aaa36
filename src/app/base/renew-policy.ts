/** A secret's `issue` and `renew` as they are stored, read for the engine. */
import { createHash } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Issuer } from "../../core/ports/issuer.ts";
import { DEFAULT_RENEW_POLICY, type RenewPolicy } from "../../core/renewal/due.ts";
import { durationMs } from "../../lib/duration.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import { partOf, renewSchema } from "../../protocol/issue.ts";
import type { AppContext } from "./context.ts";

export function isIssued(policy: JsonObject): boolean {
  return policy["issue"] !== undefined;
}

export function issueOf(policy: JsonObject): JsonObject {
  const { issue } = policy;
  return typeof issue === "object" && issue !== null && !Array.isArray(issue) ? (issue as JsonObject) : {};
}

/** Throws UNSUPPORTED for an issuer that this release does not know. */
export function issuerOf(
  { issuers }: Pick<AppContext, "issuers">,
  policy: JsonObject,
): { readonly issuer: Issuer; readonly config: JsonObject } {
  const [[kind, config] = ["", {}]] = Object.entries(issueOf(policy));
  const issuer = issuers.get(kind);
  if (issuer === undefined)
    throw new LockstepError("UNSUPPORTED", `Cannot renew: this release has no issuer "${kind}".`);
  return { issuer, config: config as JsonObject };
}

/** The secret that a request presents and may use up; null: none, or an issuer that this release does not know. */
export function singleUseOf(context: Pick<AppContext, "issuers">, policy: JsonObject): string | null {
  try {
    const { issuer, config } = issuerOf(context, policy);
    return issuer.singleUse(config);
  } catch {
    return null;
  }
}

/** What a person does about a refresh token that is not good any more; with the command as it is to be pasted. */
export function setAnew({ environment }: { readonly environment: string }, name: string): string {
  const command = shellCommand(["lockstep", "secret", "set", name, "--environment", environment]);
  return `Sign in anew at the provider, and set what it gives: \`${command}\`.`;
}

export function renewPolicyOf(policy: JsonObject): RenewPolicy {
  const { at, before } = renewSchema.safeParse(policy["renew"] ?? {}).data ?? {};
  return {
    at: at === undefined ? DEFAULT_RENEW_POLICY.at : partOf(at),
    beforeMs: durationMs(before) ?? null,
  };
}

/** The same on every worker and after every restart, another for every version. */
export function seedOf(secretId: string, version: number | null): number {
  return (
    createHash("sha256")
      .update(`${secretId} ${String(version)}`)
      .digest()
      .readUInt32BE(0) /
    2 ** 32
  );
}
