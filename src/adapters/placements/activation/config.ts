/** What lockstep.yaml says of restarting on a host: `activate` and `health`. Argument lists, never a shell's text. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { UnitSpec } from "../../../core/ports/target.ts";

/** systemd.unit(5): what a unit may be called; narrower, so that it is never an option or a path. */
const unitName = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|target|timer)$/,
    "must be a full unit name such as app.service",
  );

const argument = z
  .string()
  .max(4096)
  .refine((text) => !/\p{Cc}/u.test(text), "must be one line without control characters");
const argv = z
  .tuple([argument.regex(/^\//, "must begin with the program's absolute path")], argument)
  .refine((list) => list.length <= 64, "has too many arguments");

const seconds = z.int().min(1).max(3_600);

export const activateSchema = z
  .strictObject({
    systemd: unitName.optional(),
    /** Runs after the files were written; may be run again after a lost answer. */
    command: argv.optional(),
    /** How long the restart or command may take. Default 60. */
    timeoutSeconds: seconds.default(60),
  })
  .refine(
    ({ systemd, command }) => (systemd === undefined) !== (command === undefined),
    "name either `systemd` or `command`",
  );

export const healthSchema = z.strictObject({
  /** Exit code 0: the unit works. Tried until `withinSeconds` are over. */
  command: argv,
  withinSeconds: seconds.default(60),
});

export type Activation = z.output<typeof activateSchema>;
export type Health = z.output<typeof healthSchema>;

/** `host`: canonical, for example `ssh:vps.example.com:22`; `label`: for people. */
export function unitOf(activate: Activation, host: string, label: string): UnitSpec {
  if (activate.systemd !== undefined) {
    const name = `${activate.systemd} on ${label}`;
    return {
      key: `${host}:systemd:${activate.systemd}`,
      name,
      kind: "systemd",
      config: { unit: activate.systemd },
      followGroup: host,
    };
  }
  const command = activate.command ?? [];
  const digest = createHash("sha256").update(JSON.stringify(command)).digest("hex").slice(0, 16);
  return {
    key: `${host}:command:${digest}`,
    name: `${command[0] ?? "command"} on ${label}`,
    kind: "command",
    config: {},
    followGroup: host,
  };
}
