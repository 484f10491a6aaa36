/** What lockstep.yaml says of restarting on a host: `activate` and `health`. Argument lists, never a shell's text. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { JsonObject } from "../../../core/json.ts";
import type { UnitSpec } from "../../../core/ports/place.ts";
import { hostPath } from "../host-path.ts";
import type { PlacedFile } from "../placement.ts";
import { type KeepsOld, keepsOld } from "./old-environment.ts";
import { namedUnit, systemdName, unitLabel, unitName } from "./systemd-name.ts";

/** launchd.plist(5), Label; narrower for the same reason. The domain (gui, user or system) is found on the host. */
export const launchdLabel = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, "must be a job's label such as com.example.app");

/** Signals by which programs are told to read their files again; others end most programs. */
export const SIGNALS = ["HUP", "USR1", "USR2"] as const;

const signalSchema = z
  .strictObject({
    name: z.enum(SIGNALS).default("HUP"),
    /** A systemd unit by its full name, or a launchd job by its label: its main process gets the signal. */
    unit: z.union([unitName, launchdLabel]).optional(),
    /** A file that holds the process's number. */
    pidFile: hostPath.optional(),
  })
  .refine(
    ({ unit, pidFile }) => (unit === undefined) !== (pidFile === undefined),
    "name either `unit` or `pidFile`",
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
    /** A unit of the system by its name; of the user that logs in as `{ unit: NAME, user: true }`. */
    systemd: systemdName.optional(),
    launchd: launchdLabel.optional(),
    /** For programs that read their files again; nothing shows whether they did. */
    signal: signalSchema.optional(),
    /** Runs after the files were written; may be run again after a lost answer. */
    command: argv.optional(),
    /** With `command`: how the process that it restarts is found afterwards. Without it nobody knows which one that is. */
    process: z.strictObject({ pidFile: hostPath }).optional(),
    /**
     * With `command`: a person says that it makes the program read what was written, although commands of its kind leave
     * it with the old environment. It proves no use; it lets the command stand.
     */
    rereads: z.literal("attested").optional(),
    /** How long the restart or command may take. Default 60. */
    timeoutSeconds: seconds.default(60),
  })
  .refine(
    ({ systemd, launchd, signal, command }) =>
      [systemd, launchd, signal, command].filter((one) => one !== undefined).length === 1,
    "name one of `systemd`, `launchd`, `signal`, `command`",
  )
  .refine(({ process, command }) => process === undefined || command !== undefined, {
    message: "goes with `command`; the others name their process themselves",
    path: ["process"],
  })
  .refine(({ rereads, command }) => rereads === undefined || command !== undefined, {
    message: "goes with `command`; what the others do is known",
    path: ["rereads"],
  });

export const healthSchema = z.strictObject({
  /** Exit code 0: the unit works. Tried until `withinSeconds` are over. */
  command: argv,
  withinSeconds: seconds.default(60),
});

export type Activation = z.output<typeof activateSchema>;
export type Health = z.output<typeof healthSchema>;

/**
 * What an activation can prove at best. A signal leaves the process as it was, as far as anybody can see; a timer or a
 * socket is not the service; that a command ended well says nothing of any process, unless the process or a health check
 * is named beside it.
 */
export function provenBy(
  activate: Activation | null,
  health: Health | null = null,
  files: readonly Pick<PlacedFile, "format" | "asEnvironment">[] = [],
): "stored" | "deployed" {
  if (activate === null || activate.signal !== undefined) return "stored";
  const { systemd, command, process } = activate;
  if (systemd !== undefined) return namedUnit(systemd).unit.endsWith(".service") ? "deployed" : "stored";
  if (command === undefined) return "deployed";
  const isNamed = process !== undefined || health !== null;
  return isNamed && whyNotRestarted(activate, files) === null ? "deployed" : "stored";
}

/** What the words of a command say against it; null: nothing, or a person has said otherwise. */
export function whyNotRestarted(
  { command, rereads }: Activation,
  files: readonly Pick<PlacedFile, "format" | "asEnvironment">[],
): KeepsOld | null {
  return command === undefined || rereads !== undefined ? null : keepsOld(command, files);
}

/** `host`: canonical, for example `ssh:vps.example.com:22`; `label`: for people; `login`: whose a user's unit is. */
export function unitOf(activate: Activation, host: string, label: string, login: string): UnitSpec {
  const { systemd, launchd, signal, command = [] } = activate;
  const unit = (kind: string, id: string, name: string, config: JsonObject = {}): UnitSpec => ({
    key: `${host}:${kind}:${id}`,
    name: `${name} on ${label}`,
    kind,
    config,
    followGroup: host,
  });
  if (systemd !== undefined) {
    const named = namedUnit(systemd);
    return named.isUser
      ? unit("systemd-user", `${login}/${named.unit}`, unitLabel(named), { unit: named.unit, user: login })
      : unit("systemd", named.unit, named.unit, { unit: named.unit });
  }
  if (launchd !== undefined) return unit("launchd", launchd, launchd, { label: launchd });
  if (signal !== undefined) {
    const receiver = signal.unit ?? signal.pidFile ?? "";
    return unit("signal", `${signal.name}:${receiver}`, `${signal.name} to ${receiver}`);
  }
  const digest = createHash("sha256").update(JSON.stringify(command)).digest("hex").slice(0, 16);
  return unit("command", digest, command[0] ?? "command");
}
