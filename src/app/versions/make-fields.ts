/** A value that Lockstep makes itself. */
import { generationOf } from "../../core/generate.ts";
import type { SecretPolicy } from "../../core/policy.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../base/context.ts";

/** New random values for every field that the policy names. */
export function makeFields(context: AppContext, policy: SecretPolicy): Readonly<Record<string, SecretValue>> {
  return Object.fromEntries(
    [...generationOf(policy)].map(([field, options]) => [field, context.makeRandom(options)] as const),
  );
}
