/** The rooms of `app/` in their order, and circles of imports. */
import type { Import } from "./imports.ts";

/** Lowest first. A room imports only rooms that stand before it. The map in src/README.md has the same order. */
export const ROOMS = [
  ...[
    "base",
    "values",
    "orders",
    "targets",
    "desired",
    "status",
    "observe",
    "push",
    "activation",
    "rollouts",
  ],
  ...["versions", "alerts", "config", "renewals", "agents", "manual", "drift", "epoch", "secrets", "tokens"],
  ...["retention", "doctor", "jobs"],
];

/** What users ask for. Features stand beside each other: whoever changes one need not read the others. */
export const FEATURES = [
  ...["alerts", "config", "renewals", "agents", "manual", "drift", "epoch", "secrets", "tokens"],
  ...["retention", "doctor"],
];

/** The features that may use another one, and why. */
export const FEATURE_ARROWS: Readonly<Record<string, string>> = {
  "secrets → config": "a rotation refuses a secret whose first value no place has confirmed yet",
  "secrets → renewals": "to rotate an issued secret is to renew it now",
  "doctor → config": "the diagnosis names secrets whose first value no place has confirmed yet",
  "doctor → drift": "the diagnosis begins with a check of every place",
};

/** What stands in `base/` although two rooms use it: none of the rooms below both has its subject. */
export const BASE_FOR_TWO: Readonly<Record<string, string>> = {
  "issuer-of.ts": "renewals act by it, and the recorded facts say of a token what renewing it uses up",
  "lease-renewal.ts": "a push and an activation hold their leases in the same way",
  "open-channel.ts": "alerts go out by a channel that the configuration sealed; neither may import the other",
};

/** Files of a room that fewer than three others import. */
export function usedByFew(room: string, imports: readonly Import[]): readonly string[] {
  const users = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    const [user, used] = [roomOf(from), roomOf(to)];
    if (used !== room || user === null || user === room) continue;
    const file = to.split("/").slice(3).join("/");
    users.set(file, (users.get(file) ?? new Set()).add(user));
  }
  return [...users]
    .filter(([, rooms]) => rooms.size < 3)
    .map(([file]) => file)
    .sort();
}

function roomOf(path: string): string | null {
  const [src, app, room, file] = path.split("/");
  return src === "src" && app === "app" && file !== undefined ? (room ?? null) : null;
}

/** What is wrong with one import, in words; null: it follows the order. */
export function againstOrder({ from, to }: Import): string | null {
  const [upper, lower] = [roomOf(from), roomOf(to)];
  if (upper === null || lower === null || upper === lower) return null;
  if (ROOMS.indexOf(lower) > ROOMS.indexOf(upper)) return `${from} imports ${to}, which stands above it`;
  const isFeatures = FEATURES.includes(upper) && FEATURES.includes(lower);
  if (isFeatures && FEATURE_ARROWS[`${upper} → ${lower}`] === undefined)
    return `${from} imports ${to}, which is another feature`;
  return null;
}

/** Groups of files that import each other, directly or around corners (Tarjan). Type-only imports count. */
export function circlesOf(imports: readonly Import[]): readonly (readonly string[])[] {
  const importedBy = new Map<string, string[]>();
  for (const { from, to } of imports) importedBy.set(from, [...(importedBy.get(from) ?? []), to]);
  const [index, low] = [new Map<string, number>(), new Map<string, number>()];
  const [stack, circles]: [string[], string[][]] = [[], []];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file) as number);
    stack.push(file);
    for (const next of importedBy.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      else if (!stack.includes(next)) continue;
      low.set(file, Math.min(low.get(file) as number, low.get(next) as number));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const file of importedBy.keys()) if (!index.has(file)) visit(file);
  return circles;
}
