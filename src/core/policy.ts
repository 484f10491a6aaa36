/**
 * What lockstep.yaml says about one secret other than its bindings: who makes its values and how, when the next one is due,
 * and how it moves. The store keeps it as JSON; here alone it is written and read.
 *
 * Another release may have stored what this one does not know. `renew` and `rotate` then count as not given; an unknown
 * way of making values is refused where a value is to be made, so that reading never fails.
 */
import { z } from "zod";
import { durationMs } from "../lib/duration.ts";
import type { SecretConfig } from "../protocol/config.ts";
import { partOf, renewSchema } from "../protocol/issue.ts";
import { type Generation, readGeneration } from "./generate.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { DEFAULT_RENEW_POLICY, type RenewPolicy } from "./renewal/due.ts";
import { DEFAULT_WAITS, type RolloutWaits } from "./rollout/options.ts";
import { STRATEGIES, type Strategy } from "./rollout/strategy.ts";

export interface IssuePolicy {
  /** "" for a form that this release does not know. */
  readonly kind: string;
  /** What the issuer of that kind is asked with; it reads it. */
  readonly config: JsonObject;
  /** The whole, by kind: whether something else is asked now is told by it. */
  readonly stored: JsonObject;
}

export interface RotatePolicy extends RolloutWaits {
  /** Null: what the bindings allow. */
  readonly strategy: Strategy | null;
  /** Null: not by schedule. */
  readonly everyMs: number | null;
  /** `doctor` warns about a value that is older; null: about none. */
  readonly maxAgeMs: number | null;
  /** "02:00-05:00" in UTC; null: at any time. */
  readonly window: string | null;
}

export interface SecretPolicy {
  /** Null: no issuer makes its values. */
  readonly issue: IssuePolicy | null;
  readonly renew: RenewPolicy;
  readonly rotate: RotatePolicy;
  /** Several fields change together; otherwise it is one plain value. */
  readonly hasFields: boolean;
  /** By field; null: in a form that this release does not know. */
  readonly generation: Generation | null;
}

export type IssuedPolicy = SecretPolicy & { readonly issue: IssuePolicy };

const rotateSchema = z.object({
  strategy: z.enum(STRATEGIES).optional(),
  every: z.string().optional(),
  maxAge: z.string().optional(),
  window: z.string().optional(),
  settleFor: z.string().optional(),
  quietFor: z.string().optional(),
  undoFor: z.string().optional(),
  optionalFor: z.string().optional(),
});

/** Through JSON: drops what is undefined, and is what the store gives back. */
export function policyToStore({ generate, rotate, fields, issue, renew }: SecretConfig): JsonObject {
  return JSON.parse(JSON.stringify({ generate, rotate, fields, issue, renew })) as JsonObject;
}

/** Never throws. */
export function policyOf(stored: JsonObject): SecretPolicy {
  const { issue, renew, rotate, fields, generate } = stored;
  return {
    issue: issue === undefined ? null : issueOf(isJsonObject(issue) ? issue : {}),
    renew: renewOf(renew ?? {}),
    rotate: rotateOf(rotate ?? {}),
    hasFields: fields !== undefined,
    generation: readGeneration(fields, generate),
  };
}

/** Of a secret that is known to have an issuer. Never throws. */
export function issuedPolicyOf(stored: JsonObject): IssuedPolicy {
  const policy = policyOf(stored);
  return { ...policy, issue: policy.issue ?? issueOf({}) };
}

function issueOf(stored: JsonObject): IssuePolicy {
  const [[kind, config] = ["", {}]] = Object.entries(stored);
  return { kind, config: isJsonObject(config) ? config : {}, stored };
}

function renewOf(stored: unknown): RenewPolicy {
  const { at, before } = renewSchema.safeParse(stored).data ?? {};
  return {
    at: at === undefined ? DEFAULT_RENEW_POLICY.at : partOf(at),
    beforeMs: durationMs(before) ?? null,
  };
}

function rotateOf(stored: unknown): RotatePolicy {
  const said = rotateSchema.safeParse(stored).data ?? {};
  return {
    strategy: said.strategy ?? null,
    everyMs: durationMs(said.every) ?? null,
    maxAgeMs: durationMs(said.maxAge) ?? null,
    window: said.window ?? null,
    settleForMs: durationMs(said.settleFor) ?? DEFAULT_WAITS.settleForMs,
    quietForMs: durationMs(said.quietFor) ?? DEFAULT_WAITS.quietForMs,
    optionalForMs: durationMs(said.optionalFor) ?? DEFAULT_WAITS.optionalForMs,
    undoForMs: durationMs(said.undoFor) ?? DEFAULT_WAITS.undoForMs,
  };
}
