/** The rights that a configuration needs, no more, and the policy that gives them. Pure. */
import type { VaultConfig } from "./config.ts";

export type Capability = "create" | "read" | "update" | "list";

export interface Right {
  /** As it stands in a policy; a final `*` is a wildcard there. */
  readonly path: string;
  readonly capabilities: readonly Capability[];
  readonly why: string;
}

type Told = Pick<VaultConfig, "mount" | "path" | "discover" | "label">;

/** Whether a token has them is asked path by path: a wildcard is asked as it stands. */
export function neededRights({ mount, path, discover, label }: Told): readonly Right[] {
  return [
    {
      path: `${mount}/data/${path}`,
      capabilities: ["create", "read", "update"],
      why: "to look and to write",
    },
    {
      path: `${mount}/metadata/${path}`,
      capabilities: label ? ["read", "update"] : ["read"],
      why: label
        ? "to see whether something changed without reading a value, and to set the label (`label: false` needs no update)"
        : "to see whether something changed without reading a value",
    },
    ...discover.flatMap((folder): Right[] => {
      const below = folder === "" ? "" : `${folder}/`;
      return [
        { path: `${mount}/metadata/${below}*`, capabilities: ["list"], why: "to look around" },
        { path: `${mount}/data/${below}*`, capabilities: ["read"], why: "to look around" },
      ];
    }),
  ];
}

/** For the own token, where the default policy was taken from it. */
export const OWN_TOKEN_RIGHTS = {
  lookup: { path: "auth/token/lookup-self", capabilities: ["read"], why: "to see when the token ends" },
  capabilities: { path: "sys/capabilities-self", capabilities: ["update"], why: "to see its own rights" },
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
export function policyHint(rights: readonly Right[], { namespace }: Pick<VaultConfig, "namespace">): string {
  const where = namespace === null ? "" : `, in the namespace ${namespace}`;
  const one = rights.length === 1;
  return `Give the token's policy ${one ? "this right" : "these rights"}${where}: ${policyText(rights).replaceAll("\n", " ")}`;
}

/**
 * What is missing of `needed`; `held`: by path, as the server answered. A final wildcard that a wider one covers counts as
 * the server says.
 */
export function missingRights(
  needed: readonly Right[],
  held: ReadonlyMap<string, readonly string[]>,
): readonly Right[] {
  return needed.flatMap((right) => {
    const has = held.get(right.path) ?? [];
    if (has.includes("root")) return [];
    const lacks = right.capabilities.some((capability) => !has.includes(capability));
    return lacks ? [right] : [];
  });
}
