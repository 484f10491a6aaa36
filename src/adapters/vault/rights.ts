/** Rights that a use of Vault needs, and the lines of a policy that give them. Pure. */
import type { AskedAt, VaultFailure } from "./failure.ts";
import type { VaultMethod } from "./vault.ts";

export type Capability = "create" | "read" | "update" | "delete" | "list";

export interface Right {
  /** As it stands in a policy; a final `*` is a wildcard there. */
  readonly path: string;
  readonly capabilities: readonly Capability[];
}

/** For the own token, where the default policy was taken from it. */
export const OWN_TOKEN_RIGHTS = {
  lookup: { path: "auth/token/lookup-self", capabilities: ["read"] },
  renew: { path: "auth/token/renew-self", capabilities: ["update"] },
  capabilities: { path: "sys/capabilities-self", capabilities: ["update"] },
} as const satisfies Readonly<Record<string, Right>>;

/** One line for each path, as `vault policy write` takes it. */
export function policyText(rights: readonly Right[]): string {
  return rights
    .map(({ path, capabilities }) => {
      const words = capabilities.map((word) => JSON.stringify(word)).join(", ");
      return `path ${JSON.stringify(path)} { capabilities = [${words}] }`;
    })
    .join("\n");
}

/** For a message of one line. */
export function policyHint(
  rights: readonly Right[],
  { namespace }: { readonly namespace: string | null },
): string {
  const where = namespace === null ? "" : `, in the namespace ${namespace}`;
  const one = rights.length === 1;
  return `Give the token's policy ${one ? "this right" : "these rights"}${where}: ${policyText(rights).replaceAll("\n", " ")}`;
}

/**
 * For a refusal by policy: which capability was missing where, and the line that gives all that `needed` has there. A
 * line of the same path may stand in the policy already, and is replaced by it.
 */
export function lackingHint({ at }: Pick<VaultFailure, "at">, needed: readonly Right[]): string {
  if (at === null) return policyHint(needed, { namespace: null });
  const path = at.path.join("/");
  const right = needed.find((one) => covers(one.path, path));
  if (right === undefined) return policyHint(needed, at);
  const lacked = capabilityOf(at, right);
  return `The token's policy lacks ${JSON.stringify(lacked)} at ${path}. ${policyHint([right], at)}`;
}

function covers(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

const BY_METHOD: Partial<Record<VaultMethod, Capability>> = { GET: "read", LIST: "list", DELETE: "delete" };

/** A write is one or the other by whether something stands there; a use that needs only one means that. */
function capabilityOf({ method }: AskedAt, { capabilities }: Right): Capability {
  return BY_METHOD[method] ?? (capabilities.includes("update") ? "update" : "create");
}
