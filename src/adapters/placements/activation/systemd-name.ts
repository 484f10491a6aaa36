/** How a systemd unit is named in configurations, policies and texts: of the system, or of a user. Pure. */
import { z } from "zod";

/** systemd.unit(5): what a unit may be called; narrower, so that it is never an option or a path. */
export const unitName = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|target|timer)$/,
    "must be a full unit name such as app.service",
  );

/** Of the manager of the user that logs in, or that the agent runs as. */
export const userUnit = z.strictObject({
  unit: unitName,
  user: z.literal(true, "must be true: a unit of the system is its name alone"),
});

/** A name alone is a unit of the system. */
export const systemdName = z.union([unitName, userUnit], {
  error({ code, input, errors }) {
    const [issue] = code === "invalid_union" && typeof input === "object" ? (errors[1] ?? []) : [];
    const at = issue?.path.join(".") ?? "";
    return at === ""
      ? "must be a full unit name such as app.service, or { unit: app.service, user: true }"
      : `has a wrong \`${at}\`: it ${issue?.code === "invalid_type" ? "is missing" : issue?.message}`;
  },
});
export type SystemdName = z.output<typeof systemdName>;

/** A user's unit and the system's of the same name are two units. */
export interface NamedUnit {
  readonly unit: string;
  readonly isUser: boolean;
}

export function namedUnit(name: SystemdName): NamedUnit {
  return typeof name === "string" ? { unit: name, isUser: false } : { unit: name.unit, isUser: true };
}

/** For people. */
export function unitLabel({ unit, isUser }: NamedUnit): string {
  return isUser ? `${unit} (user)` : unit;
}
