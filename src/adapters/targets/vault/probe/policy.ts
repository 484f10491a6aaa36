/** The rights that a configuration needs, no more. Pure. */
import type { Right } from "../../../vault/rights.ts";
import type { VaultConfig } from "../config.ts";

/** With what it is for, in words. */
export interface NeededRight extends Right {
  readonly why: string;
}

type Told = Pick<VaultConfig, "mount" | "path" | "discover" | "label">;

/** Whether a token has them is asked path by path: a wildcard is asked as it stands. */
export function neededRights({ mount, path, discover, label }: Told): readonly NeededRight[] {
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
    ...discover.flatMap((folder): NeededRight[] => {
      const below = folder === "" ? "" : `${folder}/`;
      return [
        { path: `${mount}/metadata/${below}*`, capabilities: ["list"], why: "to look around" },
        { path: `${mount}/data/${below}*`, capabilities: ["read"], why: "to look around" },
      ];
    }),
  ];
}

/**
 * What is missing of `needed`; `held`: by path, as the server answered. A final wildcard that a wider one covers counts as
 * the server says.
 */
export function missingRights(
  needed: readonly NeededRight[],
  held: ReadonlyMap<string, readonly string[]>,
): readonly NeededRight[] {
  return needed.flatMap((right) => {
    const has = held.get(right.path) ?? [];
    if (has.includes("root")) return [];
    const lacks = right.capabilities.some((capability) => !has.includes(capability));
    return lacks ? [right] : [];
  });
}
