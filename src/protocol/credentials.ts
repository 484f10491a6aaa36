/**
 * Where a configuration may hold a credential, and so a reference to one; and the mark that stands there while the
 * credential itself stays with whoever gave it.
 *
 * `plan` of a file that somebody proposed must not read the planner's environment and files for that somebody. So the
 * command line sends a mark first, hears which destinations the server knows, and resolves what belongs to those.
 */
import { z } from "zod";
import type { ConfigPath } from "./config-problem.ts";

/** Below a target's name in lockstep.yaml. */
const TARGET_FIELDS: readonly (readonly string[])[] = [
  ["railway", "token"],
  ["ssh", "privateKey"],
  ["ssh", "passphrase"],
  ["ssh", "jump", "privateKey"],
  ["ssh", "jump", "passphrase"],
  ["vault", "token"],
  ["vault", "appRole", "roleId"],
  ["vault", "appRole", "secretId"],
  ["vault", "appRole", "wrappedSecretId"],
];

/** Below a channel's name in `alerts`: what of it is stored sealed. Of a Slack webhook the URL itself is. */
export const CHANNEL_CREDENTIALS = { slack: ["url"], webhook: ["secret"], email: ["password"] } as const;

/**
 * `elsewhere`: the destination is not one that was applied. `unread`: it could not be read where the plan was asked
 * for, so that the stored one counts.
 */
export const unsentSchema = z.strictObject({ unsent: z.enum(["elsewhere", "unread"]) });
export type Unsent = z.output<typeof unsentSchema>;

export function isUnsent(value: unknown): value is Unsent {
  return unsentSchema.safeParse(value).success;
}

/** A credential's own schema, or the mark in its place. */
export function credentialOf<Schema extends z.ZodType<string>>(schema: Schema) {
  return z.union([schema, unsentSchema], {
    // In the credential's own words: nobody writes the mark by hand.
    error: ({ input, errors }) => {
      const [own] = (errors as readonly (readonly { readonly message: string }[])[] | undefined) ?? [];
      return isUnsent(input) ? undefined : own?.[0]?.message;
    },
  });
}

/** `path` begins at the configuration's top, as in a file or sorted by environment. */
export function isCredentialPath(path: ConfigPath): boolean {
  const [section, name, ...field] = path[0] === "environments" ? path.slice(2) : path;
  if (name === undefined) return false;
  const fields =
    section === "targets"
      ? TARGET_FIELDS
      : section === "alerts"
        ? Object.entries(CHANNEL_CREDENTIALS).flatMap(([kind, names]) => names.map((one) => [kind, one]))
        : [];
  return fields.some(
    (known) => known.length === field.length && known.every((part, at) => part === field[at]),
  );
}

type Mapping = Readonly<Record<string, unknown>>;

/**
 * A target without its marks: where one stands none of its credentials counts, because half of a pair is none.
 * `unsent`: there was one.
 */
export function withoutUnsent<Target extends Mapping>(
  target: Target,
): { readonly target: Target; readonly unsent: boolean } {
  const unsent = TARGET_FIELDS.some((field) => isUnsent(field.reduce<unknown>(childOf, target)));
  if (!unsent) return { target, unsent };
  const copy = structuredClone(target);
  for (const field of TARGET_FIELDS) {
    const parent = field.slice(0, -1).reduce<unknown>(childOf, copy);
    if (isMapping(parent)) delete (parent as Record<string, unknown>)[field.at(-1) ?? ""];
  }
  return { target: copy, unsent };
}

function childOf(parent: unknown, key: string): unknown {
  return isMapping(parent) && Object.hasOwn(parent, key) ? parent[key] : undefined;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
